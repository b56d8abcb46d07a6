"""The connector for Hugging Face."""
