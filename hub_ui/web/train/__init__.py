"""The Train page: a LoRA of one's own images, trained on Replicate."""
