"""The use cases: look up, download, generate and train. Pages and commands call them."""
