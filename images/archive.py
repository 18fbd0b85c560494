"""From a folder to an image archive that any container runtime imports; the same bytes every time."""

import fcntl
import hashlib
import io
import json
import os
import platform
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

MADE_AT = 1_700_000_000  # one moment for every file and image: content alone decides the digest
ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


@dataclass(frozen=True)
class Layer:
    """A tar of files, and its digest."""

    file: Path
    digest: str


@dataclass(frozen=True)
class Image:
    """What a Dockerfile's last lines say."""

    tags: tuple[str, ...]
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = "/"
    env: dict[str, str] = field(default_factory=dict)

    def config(self, layers: Sequence[Layer]) -> bytes:
        """The image's configuration; its digest is the image's id."""
        made = "2023-11-14T22:13:20Z"
        document = {
            "architecture": ARCHITECTURE,
            "os": "linux",
            "created": made,
            "config": {
                "Env": [f"{name}={value}" for name, value in self.env.items()],
                "Entrypoint": list(self.entrypoint) or None,
                "Cmd": list(self.command) or None,
                "User": self.user,
                "WorkingDir": self.working_dir,
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.digest}" for layer in layers]},
            "history": [{"created": made, "created_by": "images/build.py"} for _ in layers],
        }
        return json.dumps(document, sort_keys=True).encode()


def key_of(*parts: str | bytes | Path) -> str:
    """A name for content: texts, files, and folders of Python files."""
    digest = hashlib.sha256(ARCHITECTURE.encode())
    for part in parts:
        if isinstance(part, Path):
            files = sorted(file for file in part.rglob("*") if _counts(file)) if part.is_dir() else [part]
            for file in files:
                digest.update(f"\0{file.relative_to(part) if part.is_dir() else file.name}\0".encode())
                digest.update(file.read_bytes())
        else:
            digest.update(b"\0" + (part.encode() if isinstance(part, str) else part))
    return digest.hexdigest()[:16]


def _counts(file: Path) -> bool:
    return file.is_file() and "__pycache__" not in file.parts


@contextmanager
def locked(cache: Path) -> Iterator[None]:
    """One build at a time works in a cache: the next one finds what this one has made, and removes nothing that it needs."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def layer(cache: Path, name: str, key: str, make: Callable[[Path], Path]) -> Layer:
    """The cached layer of this key; else `make` fills a folder, and says which folder becomes the layer's root."""
    file = cache / f"{name}-{key}.layer"
    known = file.with_suffix(".sha256")
    if not (file.exists() and known.exists()):
        for old in cache.glob(f"{name}-*.layer"):
            old.unlink(missing_ok=True)
            old.with_suffix(".sha256").unlink(missing_ok=True)
        with TemporaryDirectory(dir=cache, prefix=f"{name}-") as work:
            partial = Path(work, "layer.tar")
            digest = pack(make(Path(work)), partial)
            partial.rename(file)
            known.write_text(digest)
    return Layer(file, known.read_text())


def pack(root: Path, target: Path) -> str:
    """Write the tar of everything below `root`; its digest."""
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(_walk(root)):
            entry = tar.gettarinfo(path, arcname=str(path.relative_to(root)))
            if entry is None:  # a socket
                continue
            entry.mtime = MADE_AT
            entry.uname = entry.gname = ""
            if entry.isreg():
                with path.open("rb") as content:
                    tar.addfile(entry, content)
            else:
                tar.addfile(entry)
    with target.open("rb") as written:
        return hashlib.file_digest(written, "sha256").hexdigest()


def _walk(root: Path) -> list[Path]:
    found: list[Path] = []
    for folder, folders, files in os.walk(root):
        found += [Path(folder, name) for name in folders + files]
    return found


def write(cache: Path, name: str, image: Image, layers: Sequence[Layer]) -> Path:
    """The archive, an OCI image layout that `docker load` takes too; older ones of this name are removed."""
    config = image.config(layers)
    identity = hashlib.sha256(config).hexdigest()
    target = cache / f"{name}-{key_of(identity, *image.tags, Path(__file__))}.tar"
    if target.exists():
        return target
    for old in cache.glob(f"{name}-*.tar"):
        old.unlink(missing_ok=True)
    partial = target.with_suffix(f".{os.getpid()}")
    try:
        with tarfile.open(partial, "w", format=tarfile.GNU_FORMAT) as tar:
            for member, data in _documents(image, config, layers).items():
                _member(tar, member, len(data), io.BytesIO(data))
            for layer in layers:
                with layer.file.open("rb") as content:
                    _member(tar, f"blobs/sha256/{layer.digest}", layer.file.stat().st_size, content)
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def _documents(image: Image, config: bytes, layers: Sequence[Layer]) -> dict[str, bytes]:
    """All members but the layers: first those of the OCI layout, then Docker's own list."""
    oci = "application/vnd.oci.image"
    tars = [
        {"mediaType": f"{oci}.layer.v1.tar", "digest": f"sha256:{layer.digest}", "size": layer.file.stat().st_size}
        for layer in layers
    ]
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": f"{oci}.manifest.v1+json",
            "config": {"mediaType": f"{oci}.config.v1+json", **_descriptor(config)},
            "layers": tars,
        }
    )
    entries = [
        {
            "mediaType": f"{oci}.manifest.v1+json",
            **_descriptor(manifest),
            "annotations": {"io.containerd.image.name": full_name(tag)},
        }
        for tag in image.tags
    ]
    blobs = {f"blobs/{_descriptor(data)['digest'].replace(':', '/')}": data for data in (config, manifest)}
    docker = {
        "Config": next(iter(blobs)),
        "RepoTags": list(image.tags),
        "Layers": [f"blobs/sha256/{layer.digest}" for layer in layers],
    }
    return {
        "oci-layout": _json({"imageLayoutVersion": "1.0.0"}),
        "index.json": _json({"schemaVersion": 2, "mediaType": f"{oci}.index.v1+json", "manifests": entries}),
        "manifest.json": _json([docker]),
        **blobs,
    }


def full_name(tag: str) -> str:
    """The name by which nodes know an image: `busybox:stable` is short for one on Docker Hub."""
    first, slash, _ = tag.partition("/")
    if not slash:
        return f"docker.io/library/{tag}"
    return tag if "." in first or ":" in first else f"docker.io/{tag}"


def _json(document: object) -> bytes:
    return json.dumps(document, sort_keys=True).encode()


def _descriptor(data: bytes) -> dict[str, Any]:
    return {"digest": f"sha256:{hashlib.sha256(data).hexdigest()}", "size": len(data)}


def _member(tar: tarfile.TarFile, name: str, size: int, content: io.BufferedIOBase) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime = size, MADE_AT
    tar.addfile(entry, content)
