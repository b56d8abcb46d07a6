"""Languages, formats, files, databases, logs and process lifetimes. Every room uses them."""
