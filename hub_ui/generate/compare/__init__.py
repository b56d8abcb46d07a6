"""Comparisons, their LoRA axes, and choices between images."""
