"""The Library page: installed files with exact version and checksum, search, and the user's notes."""
