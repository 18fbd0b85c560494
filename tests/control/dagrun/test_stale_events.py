"""The operator's events of a run, and its decisions, may be older than the run: it never overwrites newer
changes, and dependents hear that the run is gone."""

import copy

import msgspec
import pytest
from tradewind.control.dagrun.run import read_run
from tradewind.kube.labels import HOW, RUN_UID
from tradewind.kube.pod import Owner
from tradewind.kube.resources import RUNS

from control.pod_bodies import pod, terminated
from control.runworld import Operated


@pytest.fixture
async def operated() -> Operated:
    return Operated()


async def test_a_run_that_has_ended_is_not_begun_by_an_old_list(operated: Operated) -> None:
    old = read_run(copy.deepcopy(operated.new))
    operated.becomes(phase="Succeeded")
    operated.runs.feed.seen(old, False)
    await operated.passes()
    assert operated.phase == "Succeeded"


async def test_nor_when_its_end_is_told_while_its_dag_is_read(operated: Operated) -> None:
    old = read_run(copy.deepcopy(operated.new))
    ended = operated.becomes(phase="Succeeded")
    operated.runs.feed.seen(old, False)
    operated.api.while_reading = lambda: operated.runs.feed.seen(ended, False)
    await operated.passes()
    await operated.passes()
    assert operated.phase == "Succeeded"


async def test_a_run_that_was_deleted_while_nobody_watched_is_told_to_be_gone(operated: Operated) -> None:
    run = operated.becomes(phase="Running")
    operated.runs.feed.seen(run, False)
    del operated.api.objects[RUNS.plural, "r"]
    operated.runs.feed.missing(None, set(), run.version)
    await operated.passes()
    assert [gone.uid for gone in operated.gone] == [run.uid] and operated.runs.table.version(run.uid) == 0


async def test_so_is_one_in_whose_place_there_is_another(operated: Operated) -> None:
    run = operated.becomes(phase="Running")
    operated.runs.feed.seen(run, False)
    again = {"metadata": {"name": "r", "uid": "another", "labels": {HOW: "manual"}}, "spec": {"dag": "d"}}
    other = read_run(copy.deepcopy(operated.api.put(RUNS, again)))
    operated.runs.feed.missing(None, {other.uid}, run.version)
    await operated.passes()
    assert [gone.uid for gone in operated.gone] == [run.uid] and operated.runs.table.version(other.uid) == other.version


@pytest.mark.parametrize("unreadable", [False, True])
async def test_what_pods_say_is_kept_while_their_run_is_not_known(operated: Operated, unreadable: bool) -> None:
    """At the start pods are listed first; and an unreadable status may be fixed."""
    if unreadable:
        operated.runs.feed.seen(operated.becomes(phase="Running"), False)
    over = pod({"phase": "Succeeded"}, terminated=terminated(0))
    uid = operated.new["metadata"]["uid"]
    labels = {**over.metadata.labels, RUN_UID: uid}
    operated.runs.pods.put(
        msgspec.structs.replace(
            over,
            metadata=msgspec.structs.replace(over.metadata, labels=labels, owner_references=[Owner(uid, True, "r")]),
        )
    )
    if unreadable:
        operated.runs.feed.seen(operated.becomes(phase="Running", attempts="garbage"), False)
        assert operated.runs.table.version(uid) == 0
    operated.runs.feed.seen(operated.becomes(phase="Running"), False)
    assert list(operated.runs.pods.of("ns", uid)) == ["r-a-1"] and operated.runs.states[uid].pods.changed == {"r-a-1"}
