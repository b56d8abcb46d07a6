"""What stands between the network and the page: ASGI middleware and routes. Knows no component of the page."""
