"""HTTP to one host: one transport, its retries, credentials and what its failures mean."""
