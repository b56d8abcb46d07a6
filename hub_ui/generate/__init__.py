"""From LoRA files to images that record how they were made.

torch and diffusers are imported in functions only, so that the app starts without waiting for them.
"""
