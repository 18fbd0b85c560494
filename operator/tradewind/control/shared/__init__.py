"""What several reconcilers use."""
