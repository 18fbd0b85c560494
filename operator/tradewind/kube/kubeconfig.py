"""A user's kubeconfig, read like kubectl reads it: the cluster and the credentials."""

import base64
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tradewind.kube.credentials import Plugin

USUAL = Path("~/.kube/config")
TOLD = ("server", "tls-server-name", "insecure-skip-tls-verify", "proxy-url", "disable-compression")
LISTS = {"clusters": "cluster", "contexts": "context", "users": "user"}

SHAPES: dict[str, tuple[type, str]] = {
    "exec": (dict, "a mapping"),
    "auth-provider": (dict, "a mapping"),
    "extensions": (list, "a list"),
    "insecure-skip-tls-verify": (bool, "true or false"),
    "disable-compression": (bool, "true or false"),
}
"""Fields that are not text."""
KNOWN = {
    *SHAPES,
    *TOLD,
    "cluster",
    "user",
    "namespace",
    "certificate-authority",
    "client-certificate",
    "client-key",
    "tokenFile",
    "token",
}


class Unusable(Exception):
    """There is no valid kubeconfig. The message says why."""


@dataclass(frozen=True)
class Access:
    """Access to a cluster. `plugin` returns credentials that are not in the file; certificates are files (PEM)."""

    server: str
    namespace: str = "default"
    ca_path: str | None = None
    insecure: bool = False
    certificate_path: str | None = None
    private_key_path: str | None = None
    token: str = ""
    token_file: str = ""
    basic: str = ""
    plugin: Plugin | None = None

    def authorization(self) -> str | None:
        """The value of the header. Files and plug-ins are read again when the value has expired. Raises Unproven."""
        if self.plugin:
            token = self.plugin.credential().token
            return f"Bearer {token}" if token else None
        if self.token_file:
            return f"Bearer {Path(self.token_file).read_text().strip()}"
        if self.token:
            return f"Bearer {self.token}"
        return f"Basic {self.basic}" if self.basic else None


@dataclass
class Files:
    """Temporary files for certificates that a kubeconfig contains, as TLS only reads files. They are deleted with the process."""

    folder: "tempfile.TemporaryDirectory[str] | None" = None
    _made: dict[str, str] = field(default_factory=dict)

    def of(self, data: bytes) -> str:
        """The path of a file with these bytes."""
        if self.folder is None:
            self.folder = tempfile.TemporaryDirectory(prefix="tradewind-")  # only the user can read its folder
        text = data.decode("latin-1")
        if text not in self._made:
            path = Path(self.folder.name) / f"{len(self._made)}.pem"
            path.write_bytes(data)
            self._made[text] = str(path)
        return self._made[text]


FILES = Files()


def access(path: str | None, context: str | None, files: Files = FILES) -> Access:
    """The access described by the kubeconfig at `path`, else by those in $KUBECONFIG, else by the default one. Raises Unusable and
    Unproven."""
    found = _read(path)
    name = context or found.current
    if not name:
        raise Unusable("the kubeconfig has no current-context")
    chosen, _ = found.entry("contexts", name)
    cluster, beside = found.entry("clusters", str(chosen.get("cluster") or ""))
    if not (server := str(cluster.get("server") or "").rstrip("/")):
        raise Unusable(f"cluster {chosen.get('cluster')!r} of the kubeconfig has no server")
    ca = _file(cluster, "certificate-authority", beside, files)
    user, home = found.entry("users", str(chosen["user"])) if chosen.get("user") else ({}, beside)
    more = _proof(user, home, files, _cluster_info(cluster, ca))
    return Access(
        server=server,
        namespace=str(chosen.get("namespace") or "default"),
        ca_path=ca,
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        **more,
    )


def _cluster_info(cluster: Mapping[str, Any], ca: str | None) -> dict[str, Any]:
    """The information about the cluster for plug-ins that ask for it."""
    found = {name: cluster[name] for name in TOLD if cluster.get(name)}
    if ca:
        found["certificate-authority-data"] = base64.b64encode(_bytes(ca)).decode()
    for item in cluster.get("extensions") or ():
        if isinstance(item, dict) and item.get("name") == "client.authentication.k8s.io/exec":
            found["config"] = item.get("extension")
    return found


def _bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Unusable(f"{path}, which the kubeconfig names, can't be read: {error.strerror}") from None


def _proof(user: Mapping[str, Any], beside: Path, files: Files, cluster: Mapping[str, Any]) -> dict[str, Any]:
    """The user's credentials."""
    if user.get("auth-provider"):
        kind = user["auth-provider"].get("name")
        raise Unusable(f"auth-provider {kind!r} is not supported: use a credential plug-in (exec), such as kubelogin")
    certificate = _file(user, "client-certificate", beside, files)
    key = _file(user, "client-key", beside, files)
    plugin = None
    if user.get("exec") and not (user.get("token") or user.get("tokenFile")):
        plugin = Plugin(user["exec"], beside, cluster)
        given = plugin.credential()
        if given.certificate and given.key:
            certificate, key = files.of(given.certificate.encode()), files.of(given.key.encode())
    basic = f"{user['username']}:{user.get('password', '')}" if user.get("username") else ""
    return {
        "certificate_path": certificate,
        "private_key_path": key,
        "token": str(user.get("token") or ""),
        "token_file": str(beside / user["tokenFile"]) if user.get("tokenFile") else "",
        "basic": base64.b64encode(basic.encode()).decode(),
        "plugin": plugin,
    }


def _file(entry: Mapping[str, Any], name: str, beside: Path, files: Files) -> str | None:
    """The file that an entry names or contains. Paths are relative to the kubeconfig."""
    if data := entry.get(f"{name}-data"):
        try:
            return files.of(base64.b64decode("".join(str(data).split()), validate=True))
        except ValueError as error:
            raise Unusable(f"{name}-data of the kubeconfig is not base64: {error}") from None
    if not entry.get(name):
        return None
    path = str(beside / entry[name])
    _bytes(path)  # raises an error with the name of a missing file
    return path


class _Kubeconfig:
    """Several files as one: the first entry of each name counts."""

    def __init__(self) -> None:
        self.current = ""
        self._entries: dict[tuple[str, str], tuple[Mapping[str, Any], Path]] = {}

    def add(self, body: Any, beside: Path) -> None:
        if not isinstance(body, dict):
            raise Unusable("the kubeconfig is not a mapping")
        self.current = self.current or str(body.get("current-context") or "")
        for kind, inner in LISTS.items():
            items = body.get(kind) or []
            if not isinstance(items, list):
                raise Unusable(f"{kind} of the kubeconfig is not a list")
            for item in items:
                if not isinstance(item, dict) or not isinstance(item.get(inner) or {}, dict):
                    raise Unusable(f"{kind} of the kubeconfig: entries need a name and `{inner}`")
                self._entries.setdefault((kind, str(item.get("name"))), (item.get(inner) or {}, beside))

    @staticmethod
    def _check(kind: str, name: str, entry: Mapping[str, Any]) -> None:
        """Raises Unusable for values of a type that kubectl does not accept."""
        for field_name, value in entry.items():
            kinds, words = SHAPES.get(field_name, (str, "text"))
            if field_name in KNOWN and value is not None and not isinstance(value, kinds):
                raise Unusable(f"{LISTS[kind]} {name!r} of the kubeconfig: {field_name} is not {words}")
        if "server" in entry:
            try:
                urlsplit(entry["server"] or "")
            except ValueError as error:
                raise Unusable(f"cluster {name!r} of the kubeconfig: server is not an address ({error})") from None
        if any(char in str(entry.get("token") or "") for char in "\r\n"):
            raise Unusable(f"user {name!r} of the kubeconfig: token has more than one line")

    def entry(self, kind: str, name: str) -> tuple[Mapping[str, Any], Path]:
        """An entry, and the folder of its file. Raises Unusable."""
        if (kind, name) not in self._entries:
            there = ", ".join(sorted(other for of, other in self._entries if of == kind)) or "none"
            raise Unusable(f"the kubeconfig has no {LISTS[kind]} {name!r}; there are: {there}")
        found = self._entries[kind, name]
        self._check(kind, name, found[0])
        return found


def _read(path: str | None) -> _Kubeconfig:
    named = [path] if path else [item for item in os.environ.get("KUBECONFIG", "").split(os.pathsep) if item]
    found, there = _Kubeconfig(), False
    for item in named or [str(USUAL)]:
        file = Path(item).expanduser()
        try:
            body = yaml.safe_load(file.read_text())
        except FileNotFoundError:
            continue  # as kubectl does with those in $KUBECONFIG
        except RecursionError:
            raise Unusable(f"{file} can't be read: it is nested too deep") from None
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f", line {mark.line + 1}" if mark else ""
            raise Unusable(f"{file} can't be read: it is not YAML{where}") from None
        except UnicodeDecodeError:
            raise Unusable(f"{file} can't be read: it is not UTF-8") from None
        except OSError as error:
            raise Unusable(f"{file} can't be read: {error.strerror}") from None
        except ValueError as error:
            raise Unusable(f"{file} can't be read: {error}") from None
        there = True
        found.add({} if body is None else body, file.absolute().parent)
    if not there:
        raise Unusable(f"there is no kubeconfig {' or '.join(named or [str(USUAL)])}")
    return found
