"""Everything seen so far, searchable offline: SQLite is the truth, a Tantivy index is derived from it."""
