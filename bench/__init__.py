"""Measurements, each next to its floor from the same run: absolute figures of a shared machine mean nothing."""
