"""Tasks without a pod, which the operator performs itself."""
