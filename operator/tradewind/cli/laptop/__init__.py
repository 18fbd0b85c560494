"""Runs of a manifest on this machine: `tradewind run -f`."""
