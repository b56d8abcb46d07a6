"""Download files: transfers that resume, the queue, and syncing with a lock file."""
