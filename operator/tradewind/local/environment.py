"""The environment variables of a container, resolved as by a kubelet."""

import base64
import os
import sys
from pathlib import Path

from tradewind.kube.client import Client, Object
from tradewind.kube.errors import NotFound
from tradewind.kube.resources import CONFIG_MAPS, SECRETS
from tradewind.tasks.expansion import expand

INHERITED = ("HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables of the user's environment that a task inherits: enough for programs to work, too few for a manifest to
depend on."""


class ConfigMissing(Exception):
    """A Secret or ConfigMap that the container needs does not exist (yet)."""


async def variables(client: Client, namespace: str, container: Object) -> dict[str, str]:
    """Variables by name. Raises ConfigMissing, in a kubelet's words."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    env = {"PATH": path, **{name: os.environ[name] for name in INHERITED if name in os.environ}}
    for item in container.get("env", []):
        source = item.get("valueFrom")
        if source is None:
            env[item["name"]] = expand(item.get("value", ""), env)
        elif (value := await _value(client, namespace, source)) is not None:
            env[item["name"]] = value
    return env


async def _value(client: Client, namespace: str, source: Object) -> str | None:
    secret = "secretKeyRef" in source
    kind = "secret" if secret else "configmap"
    ref = source.get("secretKeyRef") or source.get("configMapKeyRef")
    if ref is None:
        raise ConfigMissing(f"local mode doesn't support this source of a variable: {', '.join(source)}")
    try:
        found = await client.get(SECRETS if secret else CONFIG_MAPS, namespace, ref["name"])
    except NotFound:
        if ref.get("optional"):
            return None
        raise ConfigMissing(f'{kind} "{ref["name"]}" not found') from None
    data = found.get("data") or {}
    if ref["key"] not in data:
        if ref.get("optional"):
            return None
        raise ConfigMissing(f"couldn't find key {ref['key']} in {kind} {namespace}/{ref['name']}")
    return base64.b64decode(data[ref["key"]]).decode(errors="replace") if secret else str(data[ref["key"]])
