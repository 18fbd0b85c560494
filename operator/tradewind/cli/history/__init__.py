"""`tradewind history`: what was recorded of runs."""
