"""Commands about single objects."""
