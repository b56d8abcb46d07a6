"""What hubs and model cards say about a LoRA."""
