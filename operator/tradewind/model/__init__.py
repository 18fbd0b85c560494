"""The documents that users write, and the CRDs generated from them."""
