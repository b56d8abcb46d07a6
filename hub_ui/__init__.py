"""What a person runs and sees."""
