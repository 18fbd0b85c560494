"""The user of the command line, as the cluster knows them, and their reason."""

import getpass

import orjson

from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError
from tradewind.kube.resources import SELF

BY, REASON = "tradewind.dev/by", "tradewind.dev/reason"
"""Annotations of a run or a Backfill: who started it, and why."""
RETRIED, CANCELLED = "retried", "cancelled"
"""Later actions, which have annotations of their own."""


async def whoami(client: Client) -> str:
    """The user's name on the cluster; if the cluster does not tell, on this machine."""
    try:
        body = {"apiVersion": SELF.api_version, "kind": SELF.kind}
        answer = orjson.loads(await client.create(SELF, "", body))
        return str(answer["status"]["userInfo"]["username"])
    except (ApiError, KeyError):
        return getpass.getuser()


def later(what: str) -> tuple[str, str]:
    """The annotations for who did something later, and why."""
    return f"tradewind.dev/{what}-by", f"tradewind.dev/{what}-reason"


async def signed(client: Client, reason: str, what: str = "") -> dict[str, str]:
    """The annotations for who started it and why, or who did `what` later. An empty reason replaces an earlier one too."""
    by, why = later(what) if what else (BY, REASON)
    return {by: await whoami(client), why: reason}
