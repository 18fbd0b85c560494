"""Who uses the command line, as the cluster knows them."""

import getpass

import orjson

from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError
from tradewind.kube.resources import SELF


async def whoami(client: Client) -> str:
    """The user's name on the cluster; on this machine, where a cluster does not tell."""
    try:
        body = {"apiVersion": SELF.api_version, "kind": SELF.kind}
        answer = orjson.loads(await client.create(SELF, "", body))
        return str(answer["status"]["userInfo"]["username"])
    except (ApiError, KeyError):
        return getpass.getuser()
