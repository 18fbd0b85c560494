"""Expressions as DAGs use them: scopes, texts, types."""
