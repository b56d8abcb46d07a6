"""One file for each page: its components, their events, and plain handler functions."""
