"""Requests that leave the cluster's own network of trust: policy, client, names, headers."""
