"""`tradewind` as tests call it: a real process, forked from one that has imported all commands."""

import atexit
import contextlib
import functools
import gc
import os
import pkgutil
import runpy
import shutil
import subprocess
import sys
import tempfile
import threading
import traceback
from importlib import import_module
from pathlib import Path

from worlds import launcher

MODULE = "tradewind.cli"


@functools.cache
def program() -> tuple[str, ...]:
    """The beginning of the command line."""
    if sys.platform != "linux":
        return (sys.executable, "-m", MODULE)
    folder = Path(tempfile.mkdtemp(prefix="tradewind-commands-"))
    server = subprocess.Popen(
        [sys.executable, "-m", "worlds.commands", str(folder / "socket")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        start_new_session=True,
    )
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n", "the server of commands did not start"
    _running.append(server)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return (sys.executable, "-ISs", launcher.__file__, str(folder / "socket"))


_running: list["subprocess.Popen[bytes]"] = []
"""Its standard input ends with this process."""


def preload() -> None:
    """Imports all modules but those that are programs."""
    import tradewind

    for found in pkgutil.walk_packages(tradewind.__path__, "tradewind."):
        if not found.name.endswith(".__main__"):
            import_module(found.name)


def end(code: object) -> None:
    """Ends this process as Python does, but doesn't free what it shares with the server."""
    if isinstance(code, str):
        print(code, file=sys.stderr)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    preload()
    gc.freeze()
    arguments = launcher.serve(sys.argv[1])
    if arguments is not None:
        sys.argv = ["tradewind", *arguments]
        try:
            runpy.run_module(MODULE, run_name="__main__", alter_sys=True)
        except SystemExit as error:
            end(error.code)
        except BaseException:
            traceback.print_exc()
            end(1)
        end(None)
