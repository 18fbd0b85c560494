"""Tasks that hold no pod."""
