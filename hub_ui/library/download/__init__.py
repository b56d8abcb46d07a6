"""Downloads: from a hub into the library."""
