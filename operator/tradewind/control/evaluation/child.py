"""The process that evaluates expressions which may take long. It reads requests from standard input and answers on standard output; each
message is a length of four bytes and a MessagePack array. It ends with its input, and the kernel kills it if an evaluation takes too
long."""

import resource
import signal
import struct
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from tradewind.plan.cel.compiler import ExpressionError, programs, recompiled
from tradewind.plan.cel.evaluation import in_place
from tradewind.plan.pacing import Evaluation

MEMORY = 160 * 2**20
"""Bytes that an evaluation may use beyond what the process itself needs."""
PROGRAM_BYTES = 16 * 2**20
"""Bytes of that for compiled programs."""
LENGTH = struct.Struct(">I")
Answer = tuple[str, Any, float]
"""`value` and the value, or `error` or `memory` and the problem; and the seconds of CPU time."""
TOO_MUCH = "takes too much memory: compute it in a task"


def answer(evaluation: Evaluation, deadline: float) -> Answer:
    """Evaluates. The kernel kills the process after `deadline` seconds of CPU time."""
    signal.setitimer(signal.ITIMER_PROF, deadline)
    began = time.process_time()
    try:
        program = recompiled(evaluation)
        given = {name: evaluation.values[name] for name in program.names if name in evaluation.values}
        found: tuple[str, Any] = "value", in_place(program, given)
    except ExpressionError as error:
        found = "error", error.problem
    except MemoryError:
        found = "memory", TOO_MUCH
    signal.setitimer(signal.ITIMER_PROF, 0)
    return *found, time.process_time() - began


def main() -> None:
    """Answers until the input ends. The argument is the deadline in seconds of CPU time."""
    deadline = float(sys.argv[1])
    programs.room = PROGRAM_BYTES
    _limit()
    decoder = msgspec.msgpack.Decoder(tuple[str, list[tuple[str, str]], dict[str, Any]])
    while (raw := read(sys.stdin.buffer)) is not None:
        expression, variables, values = decoder.decode(raw)
        found = answer(Evaluation(expression, tuple(variables), values), deadline)
        out = msgspec.msgpack.encode(found)
        sys.stdout.buffer.write(LENGTH.pack(len(out)) + out)
        sys.stdout.buffer.flush()


def read(stream: BinaryIO) -> bytes | None:
    """The next message; None at the end."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    return stream.read(length)


def _limit() -> None:
    """Limits memory to that of one evaluation, and makes this process the first that the kernel kills if memory runs out."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the parent, which closes the input.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        Path("/proc/self/oom_score_adj").write_text("1000")


if __name__ == "__main__":
    main()
