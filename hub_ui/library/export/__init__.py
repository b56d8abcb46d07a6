"""What other programs read about a LoRA."""
