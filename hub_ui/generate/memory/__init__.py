"""The memory that a base needs, and where its parts are placed."""
