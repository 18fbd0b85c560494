"""Runs for ticks of the past."""
