"""`python -m chaos.walk`: the files that one run event walks through, from the watch to the pod and the status writes.
A visit is a function of a file that is entered after one of another file; returns don't count, nor does what other
tasks of the loop do meanwhile."""

import asyncio
import dis
import inspect
import sys
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import tradewind
from tradewind.control.execution.reconciler import RunReconciler
from tradewind.control.execution.run_feed import RunFeed

from .scenario import Scenario, Task
from .world import simulate

ROOT = Path(tradewind.__file__).parent
ROOMS = ("control", "plan")
TURNS = ("plan/pacing.py", "control/evaluation/host.py")
"""Where long work asks for its turn, every few lines: these files are left out."""
WHERE: dict[CodeType, str] = {}
"""The file of each function looked up so far; empty for other packages."""


def file_of(code: CodeType) -> str:
    """The file of a function, if it is in one of the packages of interest."""
    if code not in WHERE:
        path = Path(code.co_filename)
        inside = path.is_relative_to(ROOT) and path.relative_to(ROOT).parts[0] in ROOMS
        name = path.relative_to(ROOT).as_posix() if inside else ""
        WHERE[code] = "" if name in TURNS else name
    return WHERE[code]


class Walk:
    """Records what is entered between the start and the end of `begins`, in the same task of the loop."""

    def __init__(self, *begins: Any) -> None:
        self._begins = {function.__code__ for function in begins}
        self._within: dict[object, FrameType] = {}
        """By task, the frame that began what is followed."""
        self._known: dict[int, FrameType] = {}
        """Frames that were entered: a coroutine that resumes is not entered again."""
        self.files: list[str] = []

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        """Records a call."""
        name = file_of(frame.f_code)
        if not name or event not in ("call", "return"):
            return
        try:
            task = asyncio.current_task()
        except RuntimeError:
            return
        if event == "return":
            if self._within.get(task) is frame and not _suspended(frame):
                del self._within[task]
            return
        if id(frame) in self._known:
            return
        self._known[id(frame)] = frame
        if frame.f_code in self._begins:
            self._within.setdefault(task, frame)
        if task in self._within and self.files[-1:] != [name]:
            self.files.append(name)


def _suspended(frame: FrameType) -> bool:
    """Whether a frame that is left resumes later."""
    return bool(frame.f_code.co_flags & inspect.CO_COROUTINE) and frame.f_code.co_code[frame.f_lasti] != RETURN


RETURN = dis.opmap["RETURN_VALUE"]


def walked() -> list[str]:
    """The files that a run of one task walks through until its pod exists, each once per visit, in order."""
    walk, ends = Walk(RunFeed.seen, RunReconciler.reconcile), []
    write = "control/pods/launcher.py"

    def note(frame: FrameType, event: str, what: object) -> None:
        if not ends:
            walk(frame, event, what)
            if write in walk.files and not walk._within:
                ends.append(len(walk.files))

    sys.setprofile(note)
    try:
        simulate(Scenario(1, {"a": Task(seconds=10)}, runs=1, retention="Always", troubles=()))
    finally:
        sys.setprofile(None)
    return walk.files[: ends[0]] if ends else walk.files


def main() -> None:
    """Prints the number of files, and the visits of each."""
    files = walked()
    for name, visits in Counter(files).most_common():
        print(f"{visits:4}  {name}")
    print(f"{len(files)} visits of {len(set(files))} files")
    print(" > ".join(files))


if __name__ == "__main__":
    main()
