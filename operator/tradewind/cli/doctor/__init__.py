"""`tradewind doctor`: checks the cluster and what is installed on it."""
