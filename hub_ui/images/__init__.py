"""Image files: their PNG metadata, and the history of what was generated."""
