"""Hostile names."""

NAMES = ("../x", "a/b", "a?b", "a#b", "%2e%2e", "..", "../../team-b/secrets/crown")
"""Names with another meaning if they are put into a URL unescaped."""
