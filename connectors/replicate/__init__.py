"""The connector for Replicate."""
