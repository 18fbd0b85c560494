"""A run's status with any content that its schema accepts, as after a hand-edit: it is repaired, or the run says in a
condition that it can't be read; never anything else, and never at the expense of other runs."""

import base64
import gzip
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tradewind import API_VERSION
from tradewind.control.dagrun.attempt_log import UNPACKED_BYTES_LIMIT, Packed, decode
from tradewind.control.dagrun.run import read_run
from tradewind.control.manager.engine import Engine
from tradewind.kube.client import Client
from tradewind.kube.connection import Connection
from tradewind.kube.resources import RUNS
from tradewind.local.apiserver import ApiServer
from tradewind.model.crd import manifests

from fuzz.garbage import nearly, tries, valid
from fuzz.runs import planned

LINES = st.lists(
    st.sampled_from(["a", "b", "b[0]", "c", "nobody", "a[x]", "b[99999999999]", "0+1", "-5+-9", "1e9+1", "9" * 30 + "+1", "^1", "^-1", "^x", "~Skipped", "~Succeeded", "~Running", "~x", "#2", "#0", "#-1", "#x", "@0", "@-1", "@9", "=1", "=x", "Error", "Evicted", "Nonsense", "", "\0", "é", "\t", " "]),
    max_size=7,
).map(" ".join)  # fmt: skip
TEXT = st.lists(LINES, max_size=6).map("\n".join) | st.text(max_size=40)
ARCHIVES = (
    st.just("")
    | st.text(max_size=20)
    | st.binary(max_size=20).map(lambda data: base64.b64encode(data).decode())
    | TEXT.map(lambda text: base64.b64encode(gzip.compress(text.encode(errors="replace"))).decode())
)
OUTPUTS = st.dictionaries(st.sampled_from(["a", "b", "b[0]", "c", "nobody", "x[", ""]), st.dictionaries(st.sampled_from(["rows", "files", "done"]), st.none() | st.booleans() | st.integers(-3, 3) | st.just(["f"]) | st.text(max_size=3)), max_size=3)  # fmt: skip


def tried(status: Any) -> None:
    try:
        planned(status)
    except ValueError as error:
        assert str(error).startswith("status"), repr(error)


@tries(120)
@given(valid("DAGRun", "status"))
def test_whatever_its_schema_lets_in_is_repaired_or_refused(status: Any) -> None:
    tried({**status, "revision": "r", "phase": "Running"})


@tries(120)
@given(attempts=TEXT, archive=ARCHIVES, nodes=st.lists(st.text(max_size=5), max_size=2), outputs=OUTPUTS)
def test_attempts_of_any_content_are_repaired_or_refused(attempts: str, archive: str, nodes: Any, outputs: Any) -> None:
    tried({"attempts": attempts, "archive": archive, "nodes": nodes, "outputs": outputs, "phase": "Running"})


@tries(120)
@given(nearly("DAGRun", "status"))
def test_what_another_versions_schema_lets_in_is_repaired_or_refused(status: Any) -> None:
    tried(status)


async def test_a_run_says_itself_that_it_can_not_be_read_and_others_go_on() -> None:
    async with ApiServer(crds=manifests()) as server, Client(Connection(server.url)) as client:
        runs = Engine(client, (), "x", "me").runs

        async def see(name: str, **status: Any) -> Any:
            if status:
                await client.patch(RUNS, "default", name, {"status": status}, "status")
            body = await client.get(RUNS, "default", name)
            runs.feed.seen(read_run(body), False)
            return body

        for name in ("bad", "good"):
            body = {"apiVersion": API_VERSION, "kind": "DAGRun", "metadata": {"name": name}, "spec": {"dag": "d"}}
            await client.create(RUNS, "default", body)
        uid = (await see("bad", attempts="by hand", phase="Running"))["metadata"]["uid"]
        good = (await see("good"))["metadata"]["uid"]
        assert set(runs.states) == {good}
        await runs.unreadable.write(uid)
        said, ready, stalled = (await see("bad"))["status"]["conditions"]
        assert [(item["type"], item["status"]) for item in (ready, stalled)] == [
            ("Ready", "False"),
            ("Stalled", "True"),
        ]
        assert (said["type"], said["status"], said["reason"]) == ("Readable", "False", "StatusUnreadable")
        assert said["message"].startswith("status.attempts has a line that can't be read: 'by hand'")
        assert not runs.unreadable._found, "it is said once"
        await see("bad", attempts="a 0+1")
        assert set(runs.states) == {good, uid}
        runs.failed(uid, KeyError("x"))
        await runs.unreadable.write(uid)
        said = (await see("bad"))["status"]["conditions"][0]
        assert "the run can't continue: KeyError: 'x'" in said["message"]


def test_an_archive_that_unpacks_to_too_much_is_refused() -> None:
    bomb = base64.b64encode(gzip.compress(b"\n" * (UNPACKED_BYTES_LIMIT + 1))).decode()
    try:
        decode(Packed("", bomb), 0)
    except ValueError as error:
        assert "unpacks to too much" in str(error)
    else:
        raise AssertionError
