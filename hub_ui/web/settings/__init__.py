"""The Settings page: keys, addresses and folders, how the page looks, and which images it shows."""
