"""The S3 client against a real S3-compatible server, and its signature against the published example."""

import hashlib
import io
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cluster.objectstore import ObjectStore, object_store
from tradewind.tasks.s3 import EMPTY, Bucket, signed
from tradewind.tasks.stores import Failed, Missing, key, uri


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("s3")) as started:
        yield started


def bucket(server: ObjectStore, prefix: str = "some where", **other: str) -> Bucket:
    about = {"endpoint": server.endpoint(), "bucket": server.bucket, "access": server.access, "secret": server.secret}
    about |= other
    return Bucket(about["endpoint"], about["bucket"], prefix, "us-east-1", about["access"], about["secret"])


def put(store: Bucket, name: str, data: bytes, sha256: str = "") -> None:
    store.put(name, io.BytesIO(data), len(data), sha256 or hashlib.sha256(data).hexdigest())


def got(store: Bucket, name: str) -> bytes:
    into = io.BytesIO()
    store.get(name, into)
    return into.getvalue()


def test_a_request_is_signed_as_the_documentation_of_aws_shows() -> None:
    # "Example: GET Bucket Lifecycle" and "GET Bucket (List Objects)" of "Authenticating Requests (AWS Signature Version 4)".
    access, secret = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    now = datetime(2013, 5, 24, tzinfo=UTC)
    host = "examplebucket.s3.amazonaws.com"
    headers = signed("GET", host, "/", {"lifecycle": ""}, EMPTY, access, secret, "us-east-1", now)
    assert headers["authorization"].endswith("fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
    query = {"prefix": "J", "max-keys": "2"}
    headers = signed("GET", host, "/", query, EMPTY, access, secret, "us-east-1", now)
    assert headers["authorization"].endswith("34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_what_is_put_is_got_under_keys_of_all_kinds(server: ObjectStore) -> None:
    store = bucket(server)
    for name in ("a", "ns/run-1/task/1/model", "ns/with space+plus/ü&$=@,;"):
        put(store, name, b"x" * 3_000_000)
        assert got(store, name) == b"x" * 3_000_000
        assert key(store, uri(store, name)) == name
    put(store, "a", b"again")
    assert got(store, "a") == b"again"
    put(store, "empty", b"")
    assert got(store, "empty") == b""


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_what_is_not_there_is_missing(server: ObjectStore) -> None:
    with pytest.raises(Missing, match="no such object"):
        got(bucket(server), "nothing")


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_the_server_refuses_bytes_that_are_not_those_that_were_meant(server: ObjectStore) -> None:
    store = bucket(server)
    with pytest.raises(Failed, match="400"):
        put(store, "damaged", b"data", hashlib.sha256(b"other").hexdigest())
    with pytest.raises(Missing):
        got(store, "damaged")


@pytest.mark.e2e
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"secret": "wrong"}, "403 SignatureDoesNotMatch"),
        ({"access": "nobody"}, "404 XAdminUserNotFound"),
        ({"bucket": "nowhere"}, "there is no bucket 'nowhere'"),
    ],
)
def test_refusals_say_what_is_wrong(server: ObjectStore, other: dict[str, str], words: str) -> None:
    with pytest.raises(Failed, match=words) as error:
        put(bucket(server, **other), "a", b"x")
    assert server.secret not in str(error.value)


def test_a_server_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    store = Bucket("http://127.0.0.1:9", "b", "", "us-east-1", "a", "s")
    with pytest.raises(Failed, match=r"http://127.0.0.1:9 does not answer"):
        put(store, "a", b"x")


@pytest.mark.e2e
@pytest.mark.timeout(600)
def test_only_what_is_old_and_below_the_prefix_expires(server: ObjectStore, tmp_path: Path) -> None:
    store = bucket(server, "expiring")
    for name in ("dag/old", "dag/new", "other/old"):
        put(store, name, b"x")
    for name in ("dag/old", "other/old"):
        os.utime(server.folder / "expiring" / name, (1, 1))
    assert store.expire("dag/", 3600) == 1
    assert got(store, "dag/new") == got(store, "other/old") == b"x"
    with pytest.raises(Missing):
        got(store, "dag/old")
