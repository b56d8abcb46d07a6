"""LoRA files on a loaded pipeline: which modules each tensor patches, and by how much, without reloading."""
