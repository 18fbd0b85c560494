"""Helpers that several reconcilers use."""
