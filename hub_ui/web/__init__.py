"""ASGI middleware and routes between the network and the page. Knows no component of the page."""
