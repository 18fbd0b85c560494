"""Expressions as DAGs have them: scopes, texts, types."""
