"""What sensors ask, and when they have found it."""
