"""The process that evaluates what may take long. It reads requests from standard input and answers on standard output, each a length of
four bytes and a MessagePack array. It ends when its input does, and is ended by the kernel when an evaluation goes on for too long."""

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
"""Bytes that an evaluation may take beyond what the process takes by itself."""
PROGRAM_BYTES = 16 * 2**20
"""Bytes of those that compiled programs may take."""
LENGTH = struct.Struct(">I")
Answer = tuple[str, Any, float]
"""`value` and the value, or `error` or `memory` and what is wrong; seconds of computing."""
TOO_MUCH = "takes too much memory: compute it in a task"


def answer(evaluation: Evaluation, deadline: float) -> Answer:
    """Evaluates; the kernel ends the process after `deadline` seconds of computing."""
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
    """Answers until the input ends. The argument is the deadline, in seconds."""
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
    """No more memory than there is for one evaluation; and should there be too little for all, this process goes and no other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who started us; they close the input.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        Path("/proc/self/oom_score_adj").write_text("1000")


if __name__ == "__main__":
    main()
