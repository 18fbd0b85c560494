"""What the webhook answers, and with what."""
