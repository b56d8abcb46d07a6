"""Trains the demo's tiny base model and LoRAs. Imports torch at the top, so the app must not import this package."""
