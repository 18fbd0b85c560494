"""Pools and the holders of their slots."""
