"""`tradewind doctor`: is the cluster, and what is installed on it, as it should be?"""
