"""The base of all parsed objects of the cluster."""

import msgspec


class Struct(msgspec.Struct, rename="camel", frozen=True, gc=False):
    """Partial objects: unknown fields are skipped, absent ones have defaults."""
