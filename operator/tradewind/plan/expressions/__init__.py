"""Expressions of DAGs: scopes, texts, types."""
