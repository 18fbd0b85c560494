"""What triggers fire on, a source a file."""
