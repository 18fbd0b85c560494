"""Sharing what is limited: slots, shards, seats, rates."""
