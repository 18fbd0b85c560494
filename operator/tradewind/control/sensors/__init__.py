"""Sensors, which poll at intervals."""
