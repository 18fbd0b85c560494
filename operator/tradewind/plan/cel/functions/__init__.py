"""What expressions can call beside CEL's own functions, and what each call takes at most."""
