"""Archives made by anyone, unpacked into a folder and nowhere else. Nothing here trusts the library to refuse a member:
how well it does depends on the interpreter's patch level."""

import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from tradewind.tasks.pack import CHUNK, UnsafeArchive, copied
from tradewind.tasks.sources import LIMIT

MEMBER = 4_096
"""Bytes that each member counts for besides its contents."""
LINK = 4_096
"""The maximum bytes of a link's target."""
DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    OSError,
    EOFError,
    LookupError,
    ArithmeticError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
"""What the libraries raise for archives that are damaged, or made to look so."""


class Unpacking:
    """A folder to which members are written one by one. Links are made at the end, so that no member is written through
    one; none leads out of the folder."""

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder, self._limit, self._left = folder, limit, limit
        self._links: dict[PurePosixPath, str] = {}
        folder.mkdir(parents=True)

    def folder(self, name: str) -> None:
        """Makes a folder. Raises UnsafeArchive, as all of these."""
        self._take(MEMBER)
        (self._folder / _inside(name)).mkdir(parents=True, exist_ok=True)

    def file(self, name: str, content: BinaryIO, executable: bool) -> None:
        """Writes a file; the last of one name counts."""
        self._take(MEMBER)
        target = self._free(name)
        with target.open("xb") as file:
            self._take(copied(content, file, self._left))
        target.chmod(0o755 if executable else 0o644)

    def again(self, name: str, other: str) -> None:
        """Makes another name of a file that was written before."""
        self._take(MEMBER)
        before, target = self._folder / _inside(other), self._free(name)
        if not before.is_file():
            raise UnsafeArchive(f"the archive holds {name!r}, a link to {other!r}, which is no file of it")
        os.link(before, target)

    def link(self, name: str, target: str) -> None:
        """Notes a symbolic link. `..` counts only at the beginning of its target: behind other links, it could lead
        anywhere."""
        self._take(MEMBER)
        inside, to = _inside(name), PurePosixPath(target)
        ups = next((at for at, part in enumerate(to.parts) if part != ".."), len(to.parts))
        strays = to.is_absolute() or "\0" in target or ".." in to.parts[ups:] or ups > len(inside.parts) - 1
        if strays or not target or not inside.parts:
            raise UnsafeArchive(f"the archive holds {name!r}, a link to {target!r}, which leads out of it")
        self._links[inside] = target

    def rest(self, file: BinaryIO) -> None:
        """Reads what follows the members, as much as there may be."""
        while chunk := file.read(CHUNK):
            self._take(len(chunk))

    def _take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise UnsafeArchive(f"the archive holds more than {self._limit} bytes: set maxSize to what it may hold")

    def end(self) -> None:
        """Makes the links."""
        for name, target in sorted(self._links.items()):
            if any((self._folder / above).is_symlink() for above in name.parents):
                raise UnsafeArchive(f"the archive holds {str(name)!r}, which is below a link")
            self._free(str(name)).symlink_to(target)

    def _free(self, name: str) -> Path:
        inside = _inside(name)
        if not inside.parts:
            raise UnsafeArchive("the archive holds a file without a name")
        target = self._folder / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        return target


def _inside(name: str) -> PurePosixPath:
    found = PurePosixPath(name.lstrip("/"))
    if ".." in found.parts or "\0" in name:
        raise UnsafeArchive(f"the archive holds {name!r}, which is no file or folder below it")
    return found


def unpack(archive: BinaryIO, folder: Path, limit: int = LIMIT) -> None:
    """Unpacks a tar or zip archive, whose files everybody may read then. What it holds takes at most `limit` bytes. Raises
    UnsafeArchive."""
    archive.seek(0)
    with _told():
        try:
            members = tarfile.open(fileobj=archive, mode="r:*")  # noqa: SIM115 - a tar may end with a zip, not begin so
        except tarfile.ReadError:
            _unzip(archive, folder, limit)
        else:
            with members:
                _untar(members, folder, limit)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise UnsafeArchive(f"not a tar or zip archive that can be unpacked: {error or type(error).__name__}") from None


def _untar(members: tarfile.TarFile, folder: Path, limit: int) -> None:
    made = Unpacking(folder, limit)
    while (member := members.next()) is not None:
        members.members.clear()  # type: ignore[attr-defined] # it would keep all: there may be millions
        if member.isdir():
            made.folder(member.name)
        elif member.issym():
            made.link(member.name, member.linkname)
        elif member.islnk():
            made.again(member.name, member.linkname)
        elif member.isreg() and (content := members.extractfile(member)):
            made.file(member.name, content, bool(member.mode & 0o100))  # type: ignore[arg-type]
        else:
            raise UnsafeArchive(f"the archive holds {member.name!r}, which is no file, folder or link")
    if members.fileobj:
        made.rest(members.fileobj)  # type: ignore[arg-type] # to the end of a compressed archive, where its checksum is
    made.end()


def _unzip(archive: BinaryIO, folder: Path, limit: int) -> None:
    with zipfile.ZipFile(archive) as members:
        made = Unpacking(folder, limit)
        for member in members.infolist():
            mode = member.external_attr >> 16
            if member.is_dir():
                made.folder(member.filename)
                continue
            with members.open(member) as content:
                if stat.S_ISLNK(mode):
                    made.link(member.filename, content.read(LINK).decode())
                else:
                    made.file(member.filename, content, bool(mode & 0o100))  # type: ignore[arg-type]
        made.end()
