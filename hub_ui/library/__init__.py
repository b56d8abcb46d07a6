"""The LoRA files on disk: their folder, and `loras.lock` with the hash and the source of each file."""
