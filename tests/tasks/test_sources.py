"""Inputs that no task has stored: what arrives, and the words for what does not."""

import email.message
import errno
import hashlib
import io
import tarfile
import threading
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tradewind.tasks import sources
from tradewind.tasks.artifacts import Problem, bring
from tradewind.tasks.http import Redirects, downgraded
from tradewind.tasks.stores import Failed, Volume

ANSWERS: dict[str, list[tuple[int, bytes, dict[str, str]]]] = {}
"""By path: the answers in order; the last one stays."""


class Web(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        there = ANSWERS.get(self.path, [(404, b"", {})])
        code, body, headers = there.pop(0) if len(there) > 1 else there[0]
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.01))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
        ANSWERS.clear()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "task" / "artifacts"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def store(tmp_path: Path) -> Volume:
    folder = tmp_path / "volume"
    for name in ("raw/a.csv", "raw/deep/b.csv", "rawer.csv"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "raw/link").symlink_to("/etc/passwd")
    return Volume("volume://work/", folder)


def item(**given: Any) -> dict[str, Any]:
    return {"name": "data", "path": "in/data", **given}


def test_a_text_needs_no_store(root: Path) -> None:
    bring(None, root, item(text="grüße\n"))
    assert (root / "in/data").read_text() == "grüße\n"


def test_a_file_of_a_web_server_arrives_after_errors_that_pass_and_redirects(web: str, root: Path) -> None:
    ANSWERS["/moved"] = [(302, b"", {"Location": "/data"})]
    ANSWERS["/data"] = [(503, b"", {}), (429, b"", {}), (200, b"short", {"Content-Length": "9"}), (200, b"whole", {})]
    bring(None, root, item(url=f"{web}/moved", sha256=hashlib.sha256(b"whole").hexdigest()))
    assert (root / "in/data").read_bytes() == b"whole"


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        ((404, b"", {}), "ArtifactMissing", "the server answers 404 Not Found"),
        ((403, b"", {}), "ArtifactError", "can't be fetched: the server answers 403 Forbidden"),
        ((500, b"", {}), "ArtifactError", "the server answers 500"),
        ((302, b"", {"Location": "file:///etc/passwd"}), "ArtifactError", "the server answers 302"),
        ((200, b"other", {}), "ArtifactMismatch", "should have sha256 0000"),
    ],
)
def test_what_does_not_arrive_is_explained(
    web: str, root: Path, answer: tuple[int, bytes, dict[str, str]], reason: str, words: str
) -> None:
    ANSWERS["/data"] = [answer]
    with pytest.raises(Problem) as problem:
        bring(None, root, item(url=f"{web}/data", sha256="0" * 64))
    assert problem.value.reason == reason and words in str(problem.value) and f"{web}/data" in str(problem.value)
    assert not (root / "in/data").exists()


def test_a_full_disk_is_told_and_not_tried_again(web: str) -> None:
    class Full(io.BytesIO):
        def write(self, *_: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    ANSWERS["/data"] = [(200, b"x", {}), (404, b"", {})]
    with pytest.raises(Failed, match="there is no room for it"):
        sources.download(f"{web}/data", Full())


def test_an_input_that_is_not_there_may_be_optional(web: str, root: Path, store: Volume) -> None:
    for given in ({"url": f"{web}/none"}, {"key": "none"}, {"key": "none/"}):
        bring(store, root, item(**given, optional=True))
        with pytest.raises(Problem, match=r"artifact data \(.*none/?\)"):
            bring(store, root, item(**given))
    assert [*(root / "in").iterdir()] == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://", "http://[x"])
def test_only_web_servers_are_asked(root: Path, url: str, web: str) -> None:
    with pytest.raises(Problem, match="can't be fetched"):
        bring(None, root, item(url=url))


def test_an_object_of_the_store_and_all_below_a_key_arrive(root: Path, store: Volume) -> None:
    bring(store, root, item(key="raw/a.csv"))
    assert (root / "in/data").read_text() == "raw/a.csv"
    bring(store, root, {**item(key="raw/"), "path": "all"})
    found = {path.relative_to(root / "all").as_posix() for path in (root / "all").rglob("*") if path.is_file()}
    assert found == {"a.csv", "deep/b.csv"}, "and no link, which might lead elsewhere"


@pytest.mark.parametrize("key", ["../x", "/etc/passwd", "raw/../../x", "raw//x", "./x", "a\nb", "../", "/"])
def test_no_key_leads_out_of_the_store(root: Path, store: Volume, key: str) -> None:
    with pytest.raises(Problem, match="is not a key: write one without"):
        bring(store, root, item(key=key))


def test_too_many_objects_are_refused(root: Path, store: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "OBJECTS", 1)
    with pytest.raises(Problem, match="there are more than 1 objects below it"):
        bring(store, root, item(key="raw/"))


def archive(kind: str, *names: str) -> bytes:
    into = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(into, "w") as made:
            for name in names:
                about = zipfile.ZipInfo(name)
                about.external_attr = 0o700 << 16
                made.writestr(about, name)
        return into.getvalue()
    with tarfile.open(fileobj=into, mode=f"w:{kind}") as members:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(name), 0o700
            members.addfile(member, io.BytesIO(name.encode()))
    return into.getvalue()


@pytest.mark.parametrize("kind", ["", "gz", "xz", "zip"])
def test_an_archive_becomes_a_folder_that_any_user_can_read(web: str, root: Path, kind: str) -> None:
    ANSWERS["/code"] = [(200, archive(kind, "top/run.sh"), {})]
    bring(None, root, item(url=f"{web}/code", unpack=True))
    made = root / "in/data/top/run.sh"
    assert made.read_text() == "top/run.sh" and made.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("kind", ["gz", "zip"])
def test_no_archive_writes_elsewhere(web: str, root: Path, kind: str) -> None:
    ANSWERS["/code"] = [(200, archive(kind, "../../out"), {})]
    try:
        bring(None, root, item(url=f"{web}/code", unpack=True))
    except Problem as problem:
        assert "the archive holds '../../out', which is no file or folder below it" in str(problem)
    assert not (root.parent / "out").exists() and not (root / "out").exists()


@pytest.mark.parametrize("body", [b"", b"text", b"PK\3\4 broken"])
def test_what_is_no_archive_is_told(web: str, root: Path, body: bytes) -> None:
    ANSWERS["/code"] = [(200, body, {})]
    with pytest.raises(Problem, match="not a tar or zip archive that can be unpacked"):
        bring(None, root, item(url=f"{web}/code", unpack=True))


@pytest.mark.parametrize(
    "headers", [{}, {"Content-Length": "", "Transfer-Encoding": "chunked"}], ids=["said", "unsaid"]
)
def test_a_file_of_a_web_server_has_as_many_bytes_as_it_may(web: str, root: Path, headers: dict[str, str]) -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (b"x" * 600, b"y" * 400, b""))
    ANSWERS["/data"] = [(200, chunks if headers else b"x" * 600 + b"y" * 400, headers)]
    with pytest.raises(Problem, match="can't be fetched: it has more than 999 bytes: set maxSize to what it may have"):
        bring(None, root, item(url=f"{web}/data", maxSize=999))
    assert not (root / "in/data").exists()
    bring(None, root, item(url=f"{web}/data", maxSize=1_000))
    assert (root / "in/data").stat().st_size == 1_000


def test_an_archive_holds_as_much_as_it_may(web: str, root: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as made:
        member = tarfile.TarInfo("zeros")
        member.size = 1_000_000
        made.addfile(member, io.BytesIO(bytes(1_000_000)))
    ANSWERS["/data"] = [(200, packed.getvalue(), {})]
    with pytest.raises(Problem, match="the archive holds more than 100000 bytes: set maxSize to what it may hold"):
        bring(None, root, item(url=f"{web}/data", unpack=True, maxSize=100_000))


def test_a_redirect_from_https_to_http_is_not_followed() -> None:
    """Anyone on the way could read and change what is fetched."""
    call = urllib.request.Request("https://safe.example/data")
    headers = email.message.Message()
    headers["Location"] = "http://plain.example/data"
    follow = Redirects(True).redirect_request
    assert follow(call, None, 302, "Found", headers, "http://plain.example/data") is None
    assert follow(call, None, 302, "Found", headers, "HTTP://plain.example/data") is None
    assert follow(call, None, 302, "Found", headers, "https://other.example/data") is not None
    error = urllib.error.HTTPError(call.full_url, 302, "Found", headers, None)
    assert downgraded(call.full_url, error) == " (a redirect from https to http is not followed)"
    up = urllib.request.Request("http://plain.example/data")
    assert follow(up, None, 302, "Found", headers, "https://safe.example/data") is not None
