"""Triggers: what makes runs by itself."""
