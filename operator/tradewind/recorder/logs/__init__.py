"""Logs of attempts, kept beyond their pods."""
