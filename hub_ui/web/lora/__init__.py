"""The panel of one LoRA."""
