"""Sharing limited resources: slots, shards, seats, rates."""
