"""Pictures of runs: drawn when something has changed, and followed while a page shows them."""

import pytest
from tradewind.control.dagrun.run import read_run
from tradewind.kube.client import Client
from tradewind.kube.resources import PODS, RUNS
from tradewind.server import pictures as module
from tradewind.server.pictures import Pictures, View

from server.guest import Guest


@pytest.fixture
def pictures(there: Guest) -> Pictures:
    return there.service.pictures


async def view(there: Guest, fresh: bool = False) -> View:
    return await there.service.pictures.view(there.service.caller, "a", "etl-1", fresh)


async def test_what_has_not_changed_is_not_drawn_again(there: Guest, client: Client) -> None:
    first = await view(there)
    assert await view(there) is first
    await client.patch(RUNS, "a", "etl-1", {"spec": {"desiredState": "Suspended"}})
    assert await view(there) is not first


async def test_a_large_run_is_drawn_again_later_unless_a_person_has_acted(
    there: Guest, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await view(there)
    monkeypatch.setattr(module, "RATIO", 1e6)
    await client.patch(RUNS, "a", "etl-1", {"metadata": {"labels": {"any": "thing"}}})
    assert await view(there) is first
    assert await view(there, fresh=True) is not first, "before an action it is"
    second = await view(there)
    await client.patch(RUNS, "a", "etl-1", {"spec": {"desiredState": "Suspended"}})
    assert await view(there) is not second, "what a person did is shown at once"


async def test_an_older_answer_replaces_no_newer_picture(there: Guest, client: Client, pictures: Pictures) -> None:
    body = await client.get(RUNS, "a", "etl-1")
    await client.patch(RUNS, "a", "etl-1", {"spec": {"desiredState": "Suspended"}})
    newer = await view(there)
    kept = pictures._kept[(there.service.caller.user, "a", "etl-1")]
    old = read_run(body)
    assert await pictures._view(there.service.caller, kept, body, old, False) is newer


async def test_pods_are_followed_no_longer_than_somebody_looks(
    there: Guest, pictures: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    await view(there)
    kept = pictures._kept[(there.service.caller.user, "a", "etl-1")]
    assert kept.following is not None
    monkeypatch.setattr(module, "UNSEEN", 0.0)
    subscription = there.service.hub.subscribe(["run:a/etl-1"])
    await pictures.view(there.service.caller, "b", "secretive-1")
    assert kept.following is not None, "a stream follows it"
    there.service.hub.leave(subscription)
    await pictures.view(there.service.caller, "b", "secretive-1")
    assert kept.following is None
    assert (await view(there)).pods, "and again when somebody does"


async def test_few_pictures_are_kept(there: Guest, pictures: Pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 1)
    await view(there)
    await pictures.view(there.service.caller, "b", "secretive-1")
    assert list(pictures._kept) == [(there.service.caller.user, "b", "secretive-1")]


async def test_a_run_of_the_same_name_is_another(there: Guest, client: Client) -> None:
    first = await view(there)
    await client.delete(RUNS, "a", "etl-1")
    await client.create(
        RUNS, "a", {**{key: first.body[key] for key in ("apiVersion", "kind", "spec")}, "metadata": {"name": "etl-1"}}
    )
    again = await view(there)
    assert again.run.uid != first.run.uid and again.state is None


async def test_a_pod_that_is_not_the_runs_own_is_no_attempt(there: Guest, client: Client) -> None:
    forged = await client.get(PODS, "a", "etl-1-work-1")
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "spec": forged["spec"],
        "metadata": {"name": "forged", "labels": forged["metadata"]["labels"]},
    }
    body["metadata"]["labels"] |= {"tradewind.dev/attempt": "7"}
    await client.create(PODS, "a", body)
    attempts = [item["number"] for item in (await there.get("runs/a/etl-1/tasks/work"))["attempts"]]
    assert attempts == [1]
    assert (await there.ask("GET", "logs/a/etl-1/work/7"))[0] == 404
