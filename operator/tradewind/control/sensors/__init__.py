"""Sensors: asking, now and then."""
