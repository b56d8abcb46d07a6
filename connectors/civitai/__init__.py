"""CivitAI."""
