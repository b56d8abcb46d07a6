"""One file a page: its components, their events, and plain handler functions."""
