"""Which objects may be deleted."""
