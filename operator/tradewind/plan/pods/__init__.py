"""Fields and values of pods."""
