"""Listening for others' requests, within bounds."""
