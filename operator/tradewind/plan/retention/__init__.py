"""What may be deleted."""
