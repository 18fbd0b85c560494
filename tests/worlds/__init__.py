"""Places where DAGs really run: an embedded API server with local processes, and a cluster. The same tests run in both."""
