"""Build image archives without a container engine: `build.py --cache FOLDER NAME…` prints their paths.

Needs root, for root folders belong to root and their programs run in them.
"""

import argparse
import shutil
import subprocess
from pathlib import Path

import archive
import debian
import operator_layers
from archive import Image, Layer

HERE = Path(__file__).resolve().parent
SEARCH_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"

PAUSE = Image(("registry.k8s.io/pause:3.10",), entrypoint=("/pause",), user="65535:65535")
BUSYBOX = Image(("busybox:stable", "busybox:1.36"), command=("sh",), env={"PATH": SEARCH_PATH})
PYTHON = Image(("python:3.11-slim",), command=("python3",), env={"PATH": SEARCH_PATH, "LANG": "C.UTF-8"})


def operator_image() -> Image:
    """The last lines of the Dockerfile; read from pyproject when asked for, as the version is in its name."""
    home = f"/{operator_layers.HOME}"
    return Image(
        (f"ghcr.io/tradewind-dev/tradewind:{operator_layers.version()}",),
        entrypoint=("tradewind",),
        user="65532:65532",
        env={
            "PATH": f"{home}/bin:{SEARCH_PATH}", "LANG": "C.UTF-8", "PYTHONPATH": home,
            "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1",
        },
    )  # fmt: skip


class Builder:
    """Layers from the cache where their sources are the same."""

    def __init__(self, cache: Path, pause: Path | None) -> None:
        self.cache = cache
        self.pause = pause

    def build(self, name: str) -> Path:
        """The archive of one image."""
        with archive.locked(self.cache):
            return self._build(name)

    def _build(self, name: str) -> Path:
        match name:
            case "pause":
                return self._write(name, PAUSE, self._pause())
            case "busybox":
                return self._write(name, BUSYBOX, self._busybox())
            case "python":
                return self._write(name, PYTHON, self._python())
            case "operator":
                return self._write(name, operator_image(), self._python(), self._dependencies(), self._package())
        raise SystemExit(f"no image {name!r}; there are pause, busybox, python, operator")

    def _write(self, name: str, image: Image, *layers: Layer) -> Path:
        return archive.write(self.cache, name, image, layers)

    def _pause(self) -> Layer:
        program = self.pause
        if program is None:
            raise SystemExit("the pause image needs --pause PROGRAM")

        def make(work: Path) -> Path:
            (work / "root").mkdir()
            shutil.copy(program, work / "root" / "pause")
            return work / "root"

        return archive.layer(self.cache, "pause", archive.key_of(program), make)

    def _busybox(self) -> Layer:
        program = Path("/bin/busybox")  # Debian's busybox-static: one file that needs no library
        return archive.layer(self.cache, "busybox", archive.key_of(program, HERE / "build.py"), _make_busybox)

    def _python(self) -> Layer:
        return archive.layer(self.cache, "python", archive.key_of(HERE / "debian.py"), debian.make_root)

    def _dependencies(self) -> Layer:
        recipe = HERE / "operator_layers.py"
        key = archive.key_of(operator_layers.REQUIREMENTS, recipe)
        return archive.layer(self.cache, "dependencies", key, operator_layers.make_dependencies)

    def _package(self) -> Layer:
        recipe = HERE / "operator_layers.py"
        key = archive.key_of(
            operator_layers.PACKAGE, operator_layers.PROJECT, operator_layers.SBOM, *operator_layers.TERMS, recipe
        )
        tools = self.cache.parent / "tools"
        return archive.layer(self.cache, "package", key, lambda work: operator_layers.make_package(work, tools))


def _make_busybox(work: Path) -> Path:
    root = work / "root"
    for folder in ("bin", "etc", "home", "root", "tmp", "usr/bin", "usr/sbin", "var/tmp"):
        (root / folder).mkdir(parents=True)
    for folder in ("tmp", "var/tmp"):
        (root / folder).chmod(0o1777)
    shutil.copy("/bin/busybox", root / "bin/busybox")
    for applet in subprocess.run(["/bin/busybox", "--list"], capture_output=True, text=True, check=True).stdout.split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    (root / "usr/bin/env").symlink_to("/bin/env")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n")
    (root / "etc/group").write_text("root:x:0:\nnobody:x:65534:\n")
    return root


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="where layers and archives are kept")
    parser.add_argument("--pause", type=Path, help="the program of the pause image")
    parser.add_argument("names", nargs="+", metavar="NAME", help="pause, busybox, python, operator")
    chosen = parser.parse_args()
    builder = Builder(chosen.cache, chosen.pause)
    for name in chosen.names:
        print(builder.build(name))


if __name__ == "__main__":
    main()
