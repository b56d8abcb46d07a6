"""The use cases: look up, download, generate, train. Pages and commands call them."""
