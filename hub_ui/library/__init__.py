"""What is on disk: the folder of LoRA files, and `loras.lock` that says which bytes they are and whence they came."""
