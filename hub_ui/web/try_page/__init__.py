"""The Compare page: LoRAs tried on a base model."""
