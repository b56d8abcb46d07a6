"""HTTP to hubs and other servers: sessions, ranges, retries, and one map from what goes wrong to our errors."""
