"""The connectors, downloads and LoRA cache of a hosted page."""
