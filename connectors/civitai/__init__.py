"""The connector for CivitAI."""
