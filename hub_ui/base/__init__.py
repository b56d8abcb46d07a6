"""Languages, formats, files, databases, logs and shutdown. All other packages of hub_ui use them."""
