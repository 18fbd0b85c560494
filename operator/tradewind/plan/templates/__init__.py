"""Filling in templates."""
