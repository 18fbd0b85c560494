"""Who uses the command line, as the cluster knows them, and why."""

import getpass

import orjson

from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError
from tradewind.kube.resources import SELF

BY, REASON = "tradewind.dev/by", "tradewind.dev/reason"
"""Annotations of a run that someone retried, or started from another one."""


async def whoami(client: Client) -> str:
    """The user's name on the cluster; on this machine, where a cluster does not tell."""
    try:
        body = {"apiVersion": SELF.api_version, "kind": SELF.kind}
        answer = orjson.loads(await client.create(SELF, "", body))
        return str(answer["status"]["userInfo"]["username"])
    except (ApiError, KeyError):
        return getpass.getuser()


async def signed(client: Client, reason: str) -> dict[str, str]:
    """The annotations that say who and why; a reason that is not given takes an earlier one's place too."""
    return {BY: await whoami(client), REASON: reason}
