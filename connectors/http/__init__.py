"""HTTP to hubs and other servers: sessions, range requests, retries, and one map from failures to our errors."""
