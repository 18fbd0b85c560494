"""Pools: who holds their slots."""
