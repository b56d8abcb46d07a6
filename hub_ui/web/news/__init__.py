"""Saved searches, what is new in them, and feeds."""
