"""Hubs, downloads and cached LoRAs of a hosted page."""
