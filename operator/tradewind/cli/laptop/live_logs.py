"""The output of tasks on this machine: shown as it appears, and kept in a folder after the run."""

import asyncio
import contextlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tradewind.cli.views.log_label import Paths, label
from tradewind.control.pods.labels import attempt_of
from tradewind.kube.client import Object
from tradewind.kube.labels import RUN, RUN_UID

PREFIX = "tradewind-logs-"
KEPT = 7 * 86_400.0
"""Seconds after which the next run removes a folder."""
TICK = 0.1
"""Seconds between two reads of the files."""
PART = 256 * 1024
"""Bytes read from a file at once."""
LONGEST = 16 * 1024
"""Bytes after which an unfinished line is shown."""
Show = Callable[[str, Sequence[str]], None]
"""Called with the label of the lines and the lines."""


@dataclass
class _File:
    pod: Object
    path: Path
    alive: bool = True
    label: str | None = None
    offset: int = 0
    rest: bytes = b""

    def lines(self) -> tuple[list[str], bool]:
        """New lines, and whether there may be more at once."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            data = file.read(PART)
        self.offset += len(data)
        *whole, self.rest = (self.rest + data).split(b"\n")
        full = len(data) == PART
        if self.rest and (len(self.rest) > LONGEST or not (self.alive or full)):
            whole.append(self.rest)
            self.rest = b""
        return [line.decode(errors="replace") for line in whole], full


@dataclass
class LiveLogs:
    """The logs of one run and its sub-DAGs. They are kept as `TASK#ATTEMPT.log`, those of a sub-DAG in `TASK/`."""

    folder: Path | None = None
    """A new folder below $TMPDIR; None until something is printed."""
    _files: dict[str, _File] = field(default_factory=dict)

    def add_pod(self, pod: Object, path: Path, alive: bool) -> None:
        """Registers the output file of a pod that is about to start or has ended. See `kubelet.OnLog`."""
        file = self._files.setdefault(pod["metadata"]["uid"], _File(pod, path))
        file.alive = alive

    async def follow(self, paths: Paths, show: Show) -> None:
        """Shows and keeps new output until cancelled."""
        while True:
            await self.drain(paths, show)
            await asyncio.sleep(TICK)

    async def drain(self, paths: Paths, show: Show) -> None:
        """Shows and keeps the output so far."""
        for uid, file in list(self._files.items()):
            if file.label is None and not await self._begin(file, paths):
                continue
            over, more = not file.alive, True
            while more:
                lines, full = file.lines()
                if lines:
                    show(file.label or "", lines)
                more = full and over  # a task that keeps printing must not keep the others from being shown
                await asyncio.sleep(0)
            if over:
                del self._files[uid]

    async def finish(self, paths: Paths, show: Show) -> None:
        """Shows and keeps the rest, after all tasks have ended."""
        for file in self._files.values():
            file.alive = False
        await self.drain(paths, show)

    async def _begin(self, file: _File, paths: Paths) -> bool:
        """Names a log; False if its pod belongs to another run."""
        labels = file.pod["metadata"]["labels"]
        above = await paths.above(labels.get(RUN, ""), labels.get(RUN_UID, ""))
        if above is None:
            return False
        task, number = attempt_of(labels)
        file.label = label(f"{above}{task}", number)
        self.folder = self.folder or _make_folder()
        kept = self.folder / f"{above}{task}#{number}.log"
        kept.parent.mkdir(parents=True, exist_ok=True)
        os.link(file.path, kept)  # the same file: it outlives the session's folder without a copy
        return True


def _make_folder() -> Path:
    """A new folder for logs. The user's folders older than KEPT are removed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            about = folder.lstat()
            if about.st_uid == os.getuid() and stat.S_ISDIR(about.st_mode) and time.time() - about.st_mtime > KEPT:
                shutil.rmtree(folder, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=PREFIX))
