"""The visitors of a hosted page, and the limits on what they use."""
