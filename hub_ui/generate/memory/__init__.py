"""The memory that a base needs, and the placement of its parts."""
