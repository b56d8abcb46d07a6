"""The Library page: files on disk with exact version and checksum, found like on a hub, with one's own notes."""
