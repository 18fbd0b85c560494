"""Labels and annotations that only the operator sets: they record what an object belongs to, and the slots that it
holds."""

from tradewind import GROUP


def reserved(name: str) -> bool:
    """Whether a name is one of those."""
    domain, slash, _ = name.partition("/")
    return bool(slash) and (domain == GROUP or domain.endswith(f".{GROUP}"))
