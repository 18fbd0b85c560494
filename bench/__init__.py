"""Measurements, each beside its floor in the same run: absolute figures of a shared machine mean nothing."""
