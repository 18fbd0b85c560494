"""What is deleted once nobody needs it any more."""
