"""The documents users write, and the CRDs made from them."""
