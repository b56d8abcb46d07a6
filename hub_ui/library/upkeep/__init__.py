"""Undo, duplicates, updates, imports, exports and collections."""
