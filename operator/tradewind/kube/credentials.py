"""Credential plug-ins of a kubeconfig (`exec`): programs that return credentials, as ExecCredentials of client.authentication.k8s.io."""

import json
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)
EARLY = 10.0
"""Seconds before expiry at which a new credential is requested."""
VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")


class Unproven(Exception):
    """A plug-in returned no credential. The message says what to do."""


@dataclass(frozen=True, slots=True)
class Credential:
    """The result of a plug-in. `expires` is epoch seconds; None means the lifetime of the process."""

    token: str = ""
    certificate: str = ""
    key: str = ""
    expires: float | None = None


class Plugin:
    """A plug-in, called again only when its credential expires."""

    def __init__(self, spec: Mapping[str, Any], beside: Path, cluster: Mapping[str, Any]) -> None:
        """`spec` is the kubeconfig's `exec`, `beside` its folder, `cluster` the information for plug-ins that ask for it. Raises
        Unproven."""
        self._spec, self._cluster = spec, cluster
        self._version = str(spec.get("apiVersion") or "")
        command = str(spec.get("command") or "")
        if self._version not in VERSIONS:
            raise Unproven(f"exec.apiVersion {self._version!r} of the kubeconfig is not known: write {VERSIONS[0]}")
        inside = os.sep in command
        self._command = str(beside / command) if inside else (shutil.which(command) or "")
        if not self._command:
            hint = str(spec.get("installHint") or "").strip() or "install it, or put it on the PATH"
            raise Unproven(f"the credential plug-in {command!r} of the kubeconfig is not there: {hint}")
        self._interactive = spec.get("interactiveMode") != "Never" and sys.stdin is not None and sys.stdin.isatty()
        self._known: Credential | None = None

    def credential(self) -> Credential:
        """The credential. Raises Unproven."""
        known = self._known
        if known is None:
            known = self._known = self._ask()
        elif known.expires is not None and time.time() > known.expires - EARLY:
            try:
                known = self._known = self._ask()
            except Unproven as error:
                log.warning("%s", error)  # The API server decides whether the previous one is still valid.
        return known

    def _ask(self) -> Credential:
        given = {str(item["name"]): str(item["value"]) for item in self._spec.get("env") or ()}
        env = {**os.environ, **given, "KUBERNETES_EXEC_INFO": json.dumps(self._info())}
        command = [self._command, *map(str, self._spec.get("args") or ())]
        stdin = None if self._interactive else subprocess.DEVNULL
        try:
            done = subprocess.run(command, env=env, stdin=stdin, stdout=subprocess.PIPE, check=False)
        except OSError as error:
            raise Unproven(f"the credential plug-in {self._command} can't be run: {error}") from None
        if done.returncode:
            raise Unproven(
                f"the credential plug-in {self._command} failed with exit code {done.returncode}; run it by hand"
            )
        try:
            body = json.loads(done.stdout)
            status = body["status"]
            until = status.get("expirationTimestamp")
            expires = datetime.fromisoformat(until).timestamp() if until else None
            found = Credential(
                str(status.get("token") or ""),
                str(status.get("clientCertificateData") or ""),
                str(status.get("clientKeyData") or ""),
                expires,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unproven(
                f"the credential plug-in {self._command} did not print an ExecCredential: {error!r}"
            ) from None
        if not found.token and not found.certificate:
            raise Unproven(f"the credential plug-in {self._command} gave neither a token nor a certificate")
        return found

    def _info(self) -> dict[str, Any]:
        spec: dict[str, Any] = {"interactive": self._interactive}
        if self._spec.get("provideClusterInfo"):
            spec["cluster"] = self._cluster
        return {"apiVersion": self._version, "kind": "ExecCredential", "spec": spec}
