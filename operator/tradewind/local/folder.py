"""The folder of a session: deleted with its session or, if the session was killed, when the next one starts."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = "tradewind-"
LOCK = ".lock"
"""Locked as long as the session lives; the system releases it when the process ends."""


class CannotStart(Exception):
    """The session can't start here; the message says why and what to do."""


@contextlib.contextmanager
def session_folder() -> Iterator[Path]:
    """Makes a folder below $TMPDIR. Raises CannotStart."""
    try:
        sweep(Path(tempfile.gettempdir()))
        folder = Path(tempfile.mkdtemp(prefix=PREFIX))
        lock = os.open(folder / "lock", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        words = f"can't make a folder for this session: {error.strerror or error}"
        raise CannotStart(f"{words}; let $TMPDIR name a folder that you may write to") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / "lock").rename(folder / LOCK)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sweep(where: Path) -> None:
    """Removes the user's folders of sessions that have ended."""
    for folder in where.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.lstat().st_uid != os.getuid() or folder.is_symlink():
                continue
            lock = os.open(folder / LOCK, os.O_WRONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
