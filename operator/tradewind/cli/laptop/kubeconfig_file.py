"""The kubeconfig of `tradewind dev`: a new file, or one left by an earlier session."""

import contextlib
import os
import secrets
import stat
import urllib.request
from pathlib import Path
from typing import Any

import click
import yaml

NAME = "tradewind-dev"
"""The name of the cluster, the user and the context in it, by which the file is recognised."""
PATIENCE = 2.0
"""Seconds to wait for an answer from the session that a file belongs to."""


class KubeconfigFile:
    """The kubeconfig file."""

    def __init__(self, path: Path) -> None:
        self._path, self._written = path, b""

    def check(self) -> None:
        """Raises ClickException if another program wrote the file, or an active session uses it."""
        try:
            regular = stat.S_ISREG(self._path.lstat().st_mode)
            server = _server(self._path.read_bytes()) if regular else None
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._refusal(error.strerror or str(error)) from None
        if server is None:
            raise self._refusal("it is there, and `tradewind dev` has not written it; move it away")
        if _lives(server):
            where = server.rpartition("/")[0]
            raise self._refusal(f"the session at {where} uses it: `export KUBECONFIG={self._path}` to use that one")

    def write(self, body: object) -> None:
        """Writes the file, readable by its owner only. Raises ClickException."""
        self.check()
        data = yaml.safe_dump(body, sort_keys=False).encode()
        new = self._path.with_name(f".{self._path.name}.{secrets.token_hex(4)}")
        try:
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
            self._take(new)
        except OSError as error:
            raise self._refusal(error.strerror or str(error)) from None
        finally:
            new.unlink(missing_ok=True)
        self._written = data

    def _take(self, new: Path) -> None:
        """Renames the new file; a file that has appeared meanwhile is kept."""
        try:
            self._path.hardlink_to(new)
        except FileExistsError:
            self.check()
            new.replace(self._path)

    def remove(self) -> None:
        """Removes the file if it is still the one that was written."""
        with contextlib.suppress(OSError):
            if self._written and not self._path.is_symlink() and self._path.read_bytes() == self._written:
                self._path.unlink()

    def _refusal(self, why: str) -> click.ClickException:
        return click.ClickException(f"--write-kubeconfig {self._path}: {why}, or name another file")


def _server(data: bytes) -> str | None:
    """The address, including the token, in a kubeconfig of `tradewind dev`; None for any other file."""
    try:
        body: Any = yaml.safe_load(data)
        server = body["clusters"][0]["cluster"]["server"]
        ours = body["current-context"] == body["clusters"][0]["name"] == NAME and len(body["clusters"]) == 1
    except (yaml.YAMLError, ValueError, TypeError, LookupError, RecursionError):
        return None
    return server if ours and isinstance(server, str) and server.startswith("http://127.0.0.1:") else None


def _lives(server: str) -> bool:
    """Whether the session with this address answers."""
    try:
        with urllib.request.urlopen(f"{server}/version", timeout=PATIENCE) as answer:  # noqa: S310 - this machine's
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False
