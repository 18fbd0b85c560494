"""Triggers, which create runs."""
