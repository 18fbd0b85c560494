"""Whose request it is."""

from collections.abc import Sequence
from dataclasses import dataclass

from tradewind.kube.client import Client


@dataclass(frozen=True, slots=True)
class Caller:
    """A user of the cluster. All that is asked for a caller is asked with the caller's own credentials."""

    client: Client
    """With the caller's credentials."""
    user: str
    """As the cluster knows them."""
    groups: Sequence[str] = ()
