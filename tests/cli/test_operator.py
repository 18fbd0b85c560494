"""When its work is over, the operator's process ends, whatever is left in its loop."""

import subprocess
import sys

import pytest

PROGRAM = """
import asyncio, sys
from tradewind.cli import operator
from tradewind.control.manager.manager import Operator
from tradewind.kube.connection import Connection

async def stubborn():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

async def run(self, stop, on_signal):
    self.task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    END

Operator.run = run
operator.GRACE = operator.REST = 0.2
operator.connect = lambda *_: Connection("http://127.0.0.1:1")
operator.command(["--metrics-port", "0", "--identity", "me"])
"""


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("return", 0),
        ("raise RuntimeError('a fault')", 1),
        ("on_signal(); await asyncio.sleep(3600)", 0),
    ],
)
def test_a_task_that_can_not_be_cancelled_does_not_keep_it(end: str, code: int) -> None:
    program = PROGRAM.replace("END", end)
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=200).returncode == code
