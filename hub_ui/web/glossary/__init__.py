"""The About page: the version, licences, and what leaves this computer."""
