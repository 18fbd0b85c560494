"""What a tenant may try."""

NAMES = ("../x", "a/b", "a?b", "a#b", "%2e%2e", "..", "../../team-b/secrets/crown")
"""Names that mean something else where they are put into a URL as they are."""
