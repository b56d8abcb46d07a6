"""Local hubs: Hugging Face, CivitAI and Replicate in their own wire formats, served on loopback from a data folder."""
