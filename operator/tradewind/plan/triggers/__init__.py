"""When triggers fire, and for which causes."""
