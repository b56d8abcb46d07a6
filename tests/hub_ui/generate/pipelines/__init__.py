"""Tiny pipelines of diffusers' real classes with random weights, and LoRA files for them in trainers' spellings."""
