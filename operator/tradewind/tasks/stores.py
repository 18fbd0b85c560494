"""Stores of artifacts: keys and bytes on a mounted volume. A bucket (`s3`) has the same interface."""

import contextlib
import os
import shutil
import time
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import quote, unquote

from tradewind.tasks.pack import CHUNK


class Missing(Exception):
    """There is nothing under this key."""


class Failed(Exception):
    """The store could not be read or written. The message says why."""


class Store(Protocol):
    """A place for artifacts."""

    base: str
    """The common beginning of all URIs in this store."""

    def put(self, key: str, file: BinaryIO, size: int, sha256: str) -> None:
        """Stores a file, whole or not at all. Raises Failed."""

    def get(self, key: str, into: BinaryIO) -> None:
        """Copies the bytes under a key. Raises Missing, Failed."""

    def keys(self, prefix: str, most: int) -> list[str]:
        """The keys that begin with `prefix`, sorted, `most` of them at most. Raises Failed."""

    def expire(self, prefix: str, age: float) -> int:
        """Removes what is below `prefix` and older than `age` seconds; returns how many. Raises Failed."""


def uri(store: Store, key: str) -> str:
    """The URI of a key."""
    return store.base + quote(key)


def key(store: Store, address: str) -> str:
    """The key of a URI. Raises Missing if it is not in this store."""
    found = unquote(address.removeprefix(store.base))
    if not address.startswith(store.base) or strays(found):
        raise Missing(f"it is not in this DAG's store, {store.base}")
    return found


def strays(key: str) -> bool:
    """Whether a key may lead out of its store, or is not the only spelling of a place in it."""
    return any(part in ("", ".", "..") for part in key.split("/"))


class Volume:
    """A folder of a mounted volume."""

    def __init__(self, base: str, root: Path) -> None:
        self.base, self._root = base, root

    def put(self, key: str, file: BinaryIO, size: int, sha256: str) -> None:
        """Writes under a temporary name first, so that a file under its final name is complete."""
        target = self._root / key
        partial = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as copy:
                shutil.copyfileobj(file, copy, CHUNK)
                copy.flush()
                os.fsync(copy.fileno())
            partial.replace(target)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise Failed(f"the volume can't be written: {error}") from None

    def get(self, key: str, into: BinaryIO) -> None:
        """Copies the file."""
        try:
            with (self._root / key).open("rb") as file:
                shutil.copyfileobj(file, into, CHUNK)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise Missing("there is no such file on the volume") from None
        except OSError as error:
            raise Failed(f"the volume can't be read: {error}") from None

    def keys(self, prefix: str, most: int) -> list[str]:
        """The files below a folder."""
        found: list[str] = []
        try:
            for folder, folders, files in os.walk(self._root / prefix):
                folders.sort()
                for name in sorted(files):
                    path = Path(folder, name)
                    if path.is_file() and not path.is_symlink():
                        found.append(path.relative_to(self._root).as_posix())
                    if len(found) == most:
                        return found
        except OSError as error:
            raise Failed(f"the volume can't be read: {error}") from None
        return found

    def expire(self, prefix: str, age: float) -> int:
        """Removes old files and the folders that this leaves empty."""
        before, removed = time.time() - age, 0
        for folder, _, files in os.walk(self._root / prefix, topdown=False):
            for name in files:
                path = Path(folder, name)
                with contextlib.suppress(FileNotFoundError):  # another task may remove it too
                    if path.lstat().st_mtime < before:
                        path.unlink()
                        removed += 1
            if files and removed:
                _remove_empty(Path(folder), self._root / prefix)
        return removed


def _remove_empty(folder: Path, top: Path) -> None:
    """Removes a folder and its parents as long as they are empty and below `top`."""
    while folder != top:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent
