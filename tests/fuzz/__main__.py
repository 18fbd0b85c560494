"""`python -m fuzz [--seconds N] [TARGET...]`: bytes that reach new code, each target in a process of its own. Inputs
that break one are kept in tests/fuzz/crashes/TARGET, where a test replays them."""

import argparse
import subprocess
import sys
from pathlib import Path

import atheris

HERE = Path(__file__).parent
CRASHES = HERE / "crashes"
LONGEST, MEMORY, HANGS = 4_096, 2_048, 10
"""Bytes of an input, MiB that a target may use, seconds that it may take per input."""


def run(name: str, seconds: int) -> bool:
    """Whether a target survived."""
    (CRASHES / name).mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "fuzz", "--only", name, "--seconds", str(seconds)]
    done = subprocess.run(command, check=False).returncode == 0
    print(f"{name}: {'withstood' if done else 'BROKEN, see ' + str(CRASHES / name)}", flush=True)
    return done


def only(name: str, seconds: int) -> None:
    """Fuzzes one target in this process, and ends it."""
    with atheris.instrument_imports(include=["tradewind"]):
        from fuzz.targets import TARGETS
    import logging

    logging.disable()
    options = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", f"-rss_limit_mb={MEMORY}", f"-timeout={HANGS}"]
    options += [f"-artifact_prefix={CRASHES / name}/", "-print_final_stats=0", "-verbosity=0"]
    atheris.Setup([name, *options], TARGETS[name])
    atheris.Fuzz()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--only", metavar="TARGET", help=argparse.SUPPRESS)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    chosen = parser.parse_args()
    if chosen.only:
        only(chosen.only, chosen.seconds)
        return
    from fuzz.targets import TARGETS

    if unknown := set(chosen.targets) - TARGETS.keys():
        raise SystemExit(f"there is no {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    broken = [name for name in chosen.targets or TARGETS if not run(name, chosen.seconds)]
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
