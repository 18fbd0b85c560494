"""Why things wait."""
