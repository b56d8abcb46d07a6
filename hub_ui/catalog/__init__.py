"""The catalog of LoRAs from all hubs, searchable offline: SQLite holds the data, a Tantivy index is derived from it."""
