"""HTTP: sessions, errors, range requests, retries."""
