"""What there is to see of runs: computed, not drawn. The command line and the server show it."""
