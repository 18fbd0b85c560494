"""When triggers fire, and for what."""
