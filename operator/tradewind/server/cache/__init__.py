"""What the server keeps of the cluster's objects, behind a gate."""
