"""What sensors poll, and when they succeed."""
