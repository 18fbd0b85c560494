"""Files and folders as one stream of bytes: a folder becomes a tar archive, identical for identical contents."""

import hashlib
import os
import shutil
import stat
import tarfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO

CHUNK = 1 << 20


class UnsafeArchive(Exception):
    """A file that can't be an artifact, or an archive that can't be unpacked. The message says which, and why."""


def open_file(path: Path, root: Path) -> BinaryIO:
    """Opens a regular file below `root`. Refuses links: they could lead to files that this program may read and the
    task may not."""
    step = root
    for part in path.relative_to(root).parts:
        step /= part
        if step.is_symlink():
            raise UnsafeArchive(f"{step.relative_to(root)} is a symbolic link: copy the file instead")
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise UnsafeArchive(f"{path.relative_to(root)} is neither a file nor a folder")
    return os.fdopen(file, "rb")


def digest(file: BinaryIO) -> tuple[int, str]:
    """Size and SHA-256 of a file, which is rewound before and after."""
    file.seek(0)
    size, checksum = 0, hashlib.sha256()
    while chunk := file.read(CHUNK):
        size += len(chunk)
        checksum.update(chunk)
    file.seek(0)
    return size, checksum.hexdigest()


def copied(source: BinaryIO, into: BinaryIO, most: int) -> int:
    """Copies what is left of a file, and stops when it is more than `most` bytes. Returns how many it has read."""
    count = 0
    while chunk := source.read(CHUNK):
        count += len(chunk)
        if count > most:
            break
        into.write(chunk)
    return count


def pack(folder: Path, root: Path, into: BinaryIO) -> None:
    """Writes a folder as a tar archive: names, contents and executable bits. Raises UnsafeArchive."""
    with tarfile.open(fileobj=into, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            member = tarfile.TarInfo(path.relative_to(folder).as_posix())
            if path.is_dir() and not path.is_symlink():
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(member)
                continue
            with open_file(path, root) as file:
                found = os.fstat(file.fileno())
                member.size, member.mode = found.st_size, 0o755 if found.st_mode & 0o100 else 0o644
                archive.addfile(member, file)


def unpack(archive: BinaryIO, folder: Path) -> None:
    """Unpacks an archive that `pack` wrote into a folder. Raises UnsafeArchive for anything else."""
    folder.mkdir(parents=True)
    try:
        with tarfile.open(fileobj=archive, mode="r:") as members:
            for member in members:
                name = PurePosixPath(member.name)
                if name.is_absolute() or ".." in name.parts or not (member.isreg() or member.isdir()):
                    raise UnsafeArchive(
                        f"the archive holds {member.name!r}, which is neither a file nor a folder below it"
                    )
                target = folder / name
                if member.isdir():
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                content = members.extractfile(member)
                assert content is not None  # noqa: S101 - it is a regular file
                with target.open("xb") as file:
                    shutil.copyfileobj(content, file, CHUNK)
                target.chmod(member.mode & 0o755)
    except tarfile.TarError as error:
        raise UnsafeArchive(f"not the archive of a folder: {error}") from None
