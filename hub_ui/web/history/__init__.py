"""What was made on this computer."""
