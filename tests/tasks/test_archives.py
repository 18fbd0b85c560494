"""Archives made by anyone: what arrives, and that nothing of them is written outside of their folder."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tradewind.tasks.archives import unpack
from tradewind.tasks.pack import UnsafeArchive


def tar(*members: tuple[str, str, str], kind: str = "") -> io.BytesIO:
    """An archive of (type, name, content or target of a link)."""
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode=f"w:{kind}", format=tarfile.PAX_FORMAT) as made:
        for sort, name, content in members:
            member = tarfile.TarInfo(name)
            match sort:
                case "file":
                    member.size = len(content.encode())
                case "folder":
                    member.type = tarfile.DIRTYPE
                case "fifo":
                    member.type = tarfile.FIFOTYPE
                case _:
                    member.type, member.linkname = {"link": tarfile.SYMTYPE, "again": tarfile.LNKTYPE}[sort], content
            made.addfile(member, io.BytesIO(content.encode()) if sort == "file" else None)
    return into


def there(folder: Path) -> dict[str, str]:
    """The files below a folder, those behind links too."""
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_links_within_an_archive_are_kept(tmp_path: Path) -> None:
    members = (
        ("link", "now", "versions/2"),
        ("file", "versions/2/main.py", "two"),
        ("link", "versions/2/same.py", "../2/main.py"),
        ("again", "main.py", "versions/2/main.py"),
    )
    with pytest.raises(UnsafeArchive, match=r"leads out of it|no file"):
        unpack(tar(*members[:2], ("link", "versions/2/x", "../../../../x")), tmp_path / "other")
    unpack(tar(*members), tmp_path / "made")
    found = there(tmp_path / "made")
    assert found["main.py"] == found["versions/2/same.py"] == (tmp_path / "made/now/main.py").read_text() == "two"


def test_the_last_of_one_name_counts_and_absolute_names_are_relative(tmp_path: Path) -> None:
    unpack(tar(("file", "a", "1"), ("file", "./a", "2"), ("file", "/etc/b", "3")), tmp_path / "made")
    assert there(tmp_path / "made") == {"a": "2", "etc/b": "3"}


@pytest.mark.parametrize(
    "members",
    [
        [("file", "../out", "")],
        [("file", "a/../../out", "")],
        [("link", "a", "/etc"), ("file", "a/out", "")],
        [("link", "a", ".."), ("file", "a/out", "")],
        [("link", "a", "b/../../out")],
        [("link", "d/up", ".."), ("link", "d/out", "up/../out")],
        [("link", "d/e/up", "../../x"), ("link", "d/e/up/out", "../../../out")],
        [("link", "../out", "a")],
        [("again", "a", "../out")],
        [("again", "a", "b")],
        [("link", "a", "b"), ("again", "c", "a")],
        [("fifo", "a", "")],
        [("file", "a", ""), ("file", "a/b", "")],
        [("folder", "a", ""), ("file", "a", "")],
        [("file", "a" * 300, "")],
    ],
)
def test_a_member_that_would_lead_elsewhere_is_refused(tmp_path: Path, members: Any) -> None:
    with pytest.raises(UnsafeArchive):
        unpack(tar(*members), tmp_path / "made")
    assert not (tmp_path / "out").exists()


def test_links_that_are_too_long_to_be_followed_lead_nowhere(tmp_path: Path) -> None:
    """What resolves paths gives up where they are too long; members were written through such links then."""
    members: list[tuple[str, str, str]] = []
    long, short = "", ""
    for step in "abcdefghijklmnop":
        members.append(("folder", f"{long}{'d' * 247}", ""))
        members.append(("link", f"{long}{step}", "d" * 247))
        long, short = f"{long}{'d' * 247}/", f"{short}{step}/"
    members.append(("link", f"{short}{'l' * 254}", "../" * 16))
    members.append(("link", "escape", f"{short}{'l' * 254}/../out"))
    members.append(("file", "escape/new.txt", "written"))
    with pytest.raises(UnsafeArchive):
        unpack(tar(*members), tmp_path / "made")
    assert [path.name for path in tmp_path.iterdir()] == ["made"] and not there(tmp_path)


MEMBERS = st.tuples(
    st.sampled_from(["file", "folder", "link", "link", "again"]),
    st.lists(st.sampled_from(["a", "b", "..", "."]), min_size=1, max_size=4).map("/".join),
    st.lists(st.sampled_from(["a", "b", "..", "."]), min_size=1, max_size=5).map("/".join),
)


@given(st.lists(MEMBERS, max_size=6))
def test_whatever_an_archive_holds_nothing_of_it_leads_out(tmp_path_factory: Any, members: Any) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / "a").mkdir()
    made = folder / "a/b"
    try:
        unpack(tar(*members), made)
    except UnsafeArchive:
        pass
    else:
        assert all(path.resolve().is_relative_to(made) for path in made.rglob("*") if path.exists())
    assert [path.name for path in folder.iterdir()] == ["a"] and [path.name for path in (folder / "a").iterdir()] == [
        "b"
    ]


def test_a_tar_that_ends_with_a_zip_is_a_tar(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as made:
        made.writestr("inner.txt", "x")
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w") as members:
        for name, content in (("readme", b"1"), ("data.zip", inner.getvalue())):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            members.addfile(member, io.BytesIO(content))
    unpack(into, tmp_path / "made")
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == ["data.zip", "readme"]


def test_links_of_a_zip_are_held_to_the_same(tmp_path: Path) -> None:
    def zipped(target: str) -> io.BytesIO:
        into = io.BytesIO()
        with zipfile.ZipFile(into, "w") as made:
            made.writestr("a.txt", "x")
            about = zipfile.ZipInfo("link")
            about.external_attr = 0o120777 << 16
            made.writestr(about, target)
        return into

    unpack(zipped("a.txt"), tmp_path / "made")
    assert (tmp_path / "made/link").is_symlink() and (tmp_path / "made/link").read_text() == "x"
    with pytest.raises(UnsafeArchive, match="leads out of it"):
        unpack(zipped("../a"), tmp_path / "other")


def test_damage_at_the_end_of_a_compressed_archive_is_seen(tmp_path: Path) -> None:
    body = bytearray(tar(("file", "a", "x" * 1_000), kind="gz").getvalue())
    body[-6] ^= 1  # of the checksum
    with pytest.raises(UnsafeArchive, match="not a tar or zip archive"):
        unpack(io.BytesIO(bytes(body)), tmp_path / "made")


@pytest.mark.parametrize("cut", [1, 30, 60, 100])
@pytest.mark.parametrize("kind", ["gz", "xz", "bz2", "zip"])
def test_damaged_archives_are_told(tmp_path: Path, kind: str, cut: int) -> None:
    content = "x" * 4_000
    if kind == "zip":
        into = io.BytesIO()
        with zipfile.ZipFile(into, "w", zipfile.ZIP_LZMA) as made:
            made.writestr("a", content)
    else:
        into = tar(("file", "a", content), kind=kind)
    body = bytearray(into.getvalue())
    body[cut % len(body)] ^= 0xFF
    try:
        unpack(io.BytesIO(bytes(body)), tmp_path / "made")
    except UnsafeArchive as error:
        assert str(error)
    else:
        assert list(there(tmp_path / "made").values()) == [content], "damage to what nobody reads, such as a time"


@pytest.mark.parametrize("kind", ["", "gz", "xz"])
def test_what_an_archive_holds_counts_with_each_member_and_what_follows_them(tmp_path: Path, kind: str) -> None:
    """A thousand zeros take a byte, an empty file an inode."""
    many = tar(*(("file", f"f{at}", "") for at in range(100)), kind=kind)
    with pytest.raises(UnsafeArchive, match="holds more than 100000 bytes: set maxSize"):
        unpack(many, tmp_path / "many", 100_000)
    unpack(many, tmp_path / "fits", 1_000_000)
    links = tar(*(("link", f"l{at}", "x") for at in range(100)), kind=kind)
    with pytest.raises(UnsafeArchive, match="holds more than 100000 bytes"):
        unpack(links, tmp_path / "links", 100_000)
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("zeros", bytes(1_000_000))
    with pytest.raises(UnsafeArchive, match="holds more than 100000 bytes"):
        unpack(zipped, tmp_path / "zip", 100_000)
    behind = io.BytesIO(gzip.compress(tar(("file", "a", "1")).getvalue() + bytes(1_000_000)))
    with pytest.raises(UnsafeArchive, match="holds more than 100000 bytes"):
        unpack(behind, tmp_path / "behind", 100_000)
