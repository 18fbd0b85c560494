"""Requests of tenants to other servers: policy, DNS, client, headers."""
