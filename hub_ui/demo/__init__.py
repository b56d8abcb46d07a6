"""The demonstration that needs no account: local hubs, sample data and a tiny base model."""
