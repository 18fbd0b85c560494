"""The store of history: SQLite or PostgreSQL, plain SQL."""
