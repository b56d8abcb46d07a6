"""The library of a hosted page's visitor, for the time of the visit."""
