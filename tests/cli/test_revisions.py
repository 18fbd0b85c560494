"""`tradewind revisions`, `diff` and `rollback`, on a server without an operator."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from tradewind import API_VERSION
from tradewind.cli.revision_reader import living
from tradewind.cli.rollback import replace
from tradewind.control.dags.revisions import CAUSE, Revisions
from tradewind.kube.resources import DAGS, REVISIONS, RUNS

from cli.scene import Scene, scene

Body = dict[str, Any]
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene(tmp_path) as made:
        yield made


def spec(*lines: str) -> Body:
    return {"defaults": {"image": "x"}, "tasks": {"say": {"script": {"shell": "\n".join(lines)}}}}


async def edited(here: Scene, *specs: Body, name: str = "etl", record: bool = True) -> None:
    """A DAG that has had these specs, recorded as by an operator."""
    for at, body in enumerate(specs):
        if at == 0:
            made = {"apiVersion": API_VERSION, "kind": "DAG", "metadata": {"name": name}, "spec": body}
            await here.client.create(DAGS, "default", made)
        else:
            dag = await here.client.get(DAGS, "default", name)
            await here.client.replace(DAGS, "default", name, {**dag, "spec": body})
        if record:
            stored = await here.client.get(DAGS, "default", name)
            await Revisions(here.client).record("default", name, stored["spec"], cause=f"edit {at + 1}")


async def failed(here: Scene, *arguments: str, code: int = 1) -> str:
    process = await here.start(*arguments)
    out, told = await process.communicate()
    assert process.returncode == code, (process.returncode, out, told)
    assert b"Traceback" not in told
    return told.decode()


async def shown(here: Scene, name: str = "etl") -> Body:
    return dict((await here.client.get(DAGS, "default", name))["spec"]["tasks"]["say"]["script"])


async def test_the_list_says_which_is_current_how_many_runs_use_each_and_why_it_came(here: Scene) -> None:
    await edited(here, spec("one"), spec("two"), spec("three"))
    listed = json.loads(await here.tradewind("revisions", "etl", "-o", "json"))
    for number in range(2):
        await here.queued(f"etl-{number}", "etl", {"revision": listed[1]["name"]})
    await here.queued("other-1", "other", {"revision": listed[0]["name"]})
    lines = (await here.tradewind("revisions", "etl")).splitlines()
    assert [line.split()[:2] for line in lines[1:3]] == [["1", "0"], ["2", "2"]]
    assert lines[3].startswith("     * 3") and lines[3].rstrip().endswith("edit 3")
    found = json.loads(await here.tradewind("revisions", "etl", "-o", "json"))
    assert [(item["revision"], item["current"], item["runs"]) for item in found] == [
        (1, False, 0),
        (2, False, 2),
        (3, True, 0),
    ]
    assert found[0]["spec"]["tasks"]["say"]["script"] == {"shell": "one"} and found[0]["changeCause"] == "edit 1"


async def test_a_spec_that_came_back_is_the_revision_that_it_was(here: Scene) -> None:
    await edited(here, spec("one"), spec("two"), spec("one"))
    found = json.loads(await here.tradewind("revisions", "etl", "-o", "json"))
    assert [(item["revision"], item["current"]) for item in found] == [(1, True), (2, False)]


async def test_a_dag_that_went_back_to_its_first_revision_is_compared_with_a_later_one(here: Scene) -> None:
    await edited(here, spec("one"), spec("two"), spec("one"))
    for command, way in (("rollback", "rollback etl --to 2"), ("diff", "diff etl 2")):
        said = await failed(here, command, "etl")
        assert f"no revision before the current one, 1; it has 1, 2: `tradewind {way}` takes one of them" in said


async def test_a_diff_shows_the_lines_that_changed(here: Scene) -> None:
    await edited(here, spec("echo a", "echo b"), spec("echo a", "echo c"), spec("echo a", "echo d"))
    usual = await here.tradewind("diff", "etl")
    assert usual.splitlines()[:2] == ["--- dag/etl revision 2", "+++ dag/etl revision 3 (current)"]
    changed = [line for line in usual.splitlines()[2:] if line[0] in "+-"]
    assert [line.strip() for line in changed] == ["-        echo c", "+        echo d"], usual
    assert "\x1b[" not in usual, "no colours where there is no terminal"
    assert "-        echo b" in await here.tradewind("diff", "etl", "1")
    assert "+        echo c" in await here.tradewind("diff", "etl", "1", "2")


async def test_colours_are_for_terminals(here: Scene) -> None:
    import asyncio
    import os
    import pty

    await edited(here, spec("one"), spec("two"))
    master, slave = pty.openpty()
    process = await here.start("diff", "etl", stdout=slave)
    assert await process.wait() == 0
    os.close(slave)
    told = (await asyncio.to_thread(os.read, master, 65_536)).decode()
    os.close(master)
    assert "\x1b[32m+" in told and "\x1b[31m-" in told


async def test_a_manifest_is_compared_with_the_cluster_and_the_exit_code_says_whether_it_differs(
    here: Scene, tmp_path: Path
) -> None:
    await edited(here, spec("one"))
    file = tmp_path / "etl.yaml"
    body = {"apiVersion": API_VERSION, "kind": "DAG", "metadata": {"name": "etl"}, "spec": spec("one")}
    file.write_text(yaml.safe_dump(body))
    assert await here.tradewind("diff", "-f", str(file)) == "", "defaults that the server adds are no difference"
    file.write_text(yaml.safe_dump({**body, "spec": spec("two")}))
    process = await here.start("diff", "-f", str(file))
    out, _ = await process.communicate()
    assert process.returncode == 1 and b"-        shell: one" in out and b"+        shell: two" in out
    assert await shown(here) == {"shell": "one"}, "nothing was applied"
    file.write_text(yaml.safe_dump({**body, "metadata": {"name": "new"}}))
    process = await here.start("diff", "-f", str(file))
    out, _ = await process.communicate()
    assert process.returncode == 1 and b"+kind" not in out and b"+spec:" in out
    file.write_text(yaml.safe_dump({**body, "spec": {"tasks": {}}}))
    assert "spec.tasks" in await failed(here, "diff", "-f", str(file), code=2)


async def test_values_of_secrets_are_never_shown(here: Scene, tmp_path: Path) -> None:
    file = tmp_path / "secret.yaml"
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "stringData": {"a": "canary-1", "b": "same"},
    }
    file.write_text(yaml.safe_dump(body))
    await here.tradewind("apply", "-f", str(file))
    file.write_text(yaml.safe_dump({**body, "stringData": {"a": "canary-2", "b": "same"}}))
    process = await here.start("diff", "-f", str(file))
    out, told = await process.communicate()
    assert process.returncode == 1 and b"+  a: '*** (after)'" in out and b"  b: '***'" in out
    assert b"canary" not in out + told and b"Y2FuYXJ5" not in out + told


async def test_a_rollback_brings_the_spec_before_back_and_says_so(here: Scene) -> None:
    await edited(here, spec("one"), spec("two"), spec("three"))
    told = await here.tradewind("rollback", "etl", "--dry-run")
    assert "-        shell: three" in told.replace("      shell", "        shell") and await shown(here) == {
        "shell": "three"
    }
    assert "dag/etl rolled back to revision 2" in await here.tradewind("rollback", "etl")
    assert await shown(here) == {"shell": "two"}
    await here.tradewind("rollback", "etl")
    assert await shown(here) == {"shell": "one"}, "one more step back"
    await here.tradewind("rollback", "etl", "--to", "3")
    dag = await here.client.get(DAGS, "default", "etl")
    assert await shown(here) == {"shell": "three"} and dag["metadata"]["annotations"][CAUSE] == "rollback to 3"


async def test_after_a_rollback_kubectl_apply_still_knows_what_is_its_own(here: Scene) -> None:
    await edited(here, spec("one"), spec("two"))
    note = json.dumps({"spec": spec("two")})
    await here.client.patch(DAGS, "default", "etl", {"metadata": {"annotations": {LAST_APPLIED: note}}})
    await here.tradewind("rollback", "etl")
    noted = (await here.client.get(DAGS, "default", "etl"))["metadata"]["annotations"][LAST_APPLIED]
    assert json.loads(noted)["spec"]["tasks"]["say"]["script"] == {"shell": "one"}


async def test_a_spec_that_no_operator_has_seen_can_be_compared_and_left(here: Scene) -> None:
    await edited(here, spec("one"), spec("two"))
    await edited_again(here, spec("three"))
    assert "+++ dag/etl now (not recorded)" in await here.tradewind("diff", "etl")
    process = await here.start("revisions", "etl")
    out, told = await process.communicate()
    assert b"*" not in out and b"is not recorded" in told
    assert "rolled back to revision 2" in await here.tradewind("rollback", "etl")


async def edited_again(here: Scene, body: Body) -> None:
    dag = await here.client.get(DAGS, "default", "etl")
    await here.client.replace(DAGS, "default", "etl", {**dag, "spec": body})


async def test_what_was_written_is_compared_and_rolled_back_to_where_it_was_rendered(here: Scene) -> None:
    await edited(here, spec("one"), record=False)
    revisions = Revisions(here.client)
    one = (await here.client.get(DAGS, "default", "etl"))["spec"]
    await revisions.record("default", "etl", spec("rendered, first"), source=one)
    await revisions.record("default", "etl", spec("rendered, of a changed template"), source=one)
    await edited_again(here, spec("two"))
    two = (await here.client.get(DAGS, "default", "etl"))["spec"]
    await revisions.record("default", "etl", spec("rendered, third"), source=two)
    assert "shell: two" in (told := await here.tradewind("diff", "etl", "1")) and "rendered" not in told
    await here.tradewind("rollback", "etl", "--to", "1")
    assert await shown(here) == {"shell": "one"}
    found = json.loads(await here.tradewind("revisions", "etl", "-o", "json"))
    assert [item["current"] for item in found] == [False, True, False], "of the same source the newest"
    status = {"revision": 1}
    await here.client.patch(DAGS, "default", "etl", {"status": status}, "status")
    found = json.loads(await here.tradewind("revisions", "etl", "-o", "json"))
    assert [item["current"] for item in found] == [True, False, False], "or the one that the operator says"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["revisions", "nope"], 1, "there is no DAG 'nope' in namespace default; there are etl"),
        (["diff", "nope"], 1, "there is no DAG 'nope'"),
        (["rollback", "nope"], 1, "there is no DAG 'nope'"),
        (["rollback", "etl", "--to", "7"], 1, "dag/etl has no revision 7; it has 1, 2"),
        (["diff", "etl", "1", "9"], 1, "dag/etl has no revision 9; it has 1, 2"),
        (["diff", "etl", "1", "2", "3"], 2, "at most two"),
        (["diff", "etl", "one"], 2, "'one' is not a valid integer"),
        (["diff"], 2, "name a DAG"),
        (["diff", "-f", "/nowhere.yaml"], 2, "/nowhere.yaml: No such file"),
        (["rollback", "etl", "--to", "x"], 2, "'x' is not a valid integer"),
    ],
)
async def test_a_mistake_is_answered_with_what_there_is(
    here: Scene, arguments: list[str], code: int, words: str
) -> None:
    await edited(here, spec("one"), spec("two"))
    assert words in await failed(here, *arguments, code=code)


async def test_a_rollback_to_the_current_one_has_nothing_to_do(here: Scene) -> None:
    await edited(here, spec("one"), spec("two"))
    version = (await here.client.get(DAGS, "default", "etl"))["metadata"]["resourceVersion"]
    assert await here.tradewind("rollback", "etl", "--to", "2") == "nothing to do: revision 2 is the current one\n"
    assert (await here.client.get(DAGS, "default", "etl"))["metadata"]["resourceVersion"] == version


async def test_without_an_earlier_one_there_is_no_way_back(here: Scene) -> None:
    await edited(here, spec("one"))
    for command in ("rollback", "diff"):
        assert "dag/etl has no revision before the current one; it has 1" in await failed(here, command, "etl")
    await edited(here, spec("one"), name="new", record=False)
    assert "it has none: the operator records every valid spec" in await failed(here, "rollback", "new")


async def test_a_revision_that_is_not_valid_any_more_is_refused_with_its_field(here: Scene) -> None:
    old = spec("one")
    old["tasks"]["say"]["retired"] = True  # a field that this version does not have
    await edited(here, spec("two"))
    body = {
        "apiVersion": REVISIONS.api_version,
        "kind": REVISIONS.kind,
        "metadata": {"name": "etl-0000000000", "labels": {"tradewind.dev/dag": "etl"}},
        "revision": 7,
        "data": {"spec": old},
    }
    await here.client.create(REVISIONS, "default", body)
    told = await failed(here, "rollback", "etl", "--to", "7")
    assert "revision 7 is not valid any more" in told and "spec.tasks.say.retired: unknown field" in told
    assert await shown(here) == {"shell": "two"}


async def test_of_a_deleted_dag_the_revisions_are_shown_and_compared(here: Scene) -> None:
    await edited(here, spec("one"), spec("two"))
    await here.client.delete(DAGS, "default", "etl")
    assert len((await here.tradewind("revisions", "etl")).splitlines()) == 3
    assert "shell: two" in await here.tradewind("diff", "etl", "1", "2")
    assert "DAG 'etl' was deleted; revisions of it remain (it has 1, 2)" in await failed(here, "rollback", "etl")


async def test_runs_and_dags_are_listed_with_the_number(here: Scene) -> None:
    await here.run("etl-1", {"a": {}}, {"revisionNumber": 12})
    assert "12 (etl-" in await here.tradewind("describe", "run", "etl-1")
    assert json.loads(await here.tradewind("describe", "run", "etl-1", "-o", "json"))["revisionNumber"] == 12
    assert (await here.tradewind("get", "runs")).splitlines()[1].split()[:3] == ["etl-1", "etl", "12"]
    assert (await here.client.get(RUNS, "default", "etl-1"))["status"]["revisionNumber"] == 12


async def test_a_rollback_never_writes_over_somebody_elses_edit(here: Scene) -> None:
    await edited(here, spec("one"), spec("two"))
    found = await living(here.client, "default", "etl")
    await edited_again(here, spec("three"))
    assert found.dag is not None and found.before is not None
    with pytest.raises(click.ClickException, match="was just changed by someone else"):
        await replace(here.client, "default", found.dag, found.before)
    assert await shown(here) == {"shell": "three"}


async def test_retry_and_clear_say_that_the_run_keeps_its_revision(here: Scene) -> None:
    await edited(here, spec("one"), spec("two"))
    await here.run("etl-1", {"say": {}}, {"revisionNumber": 1, "attempts": "say 0+1 =1 Error"})
    await here.client.patch(DAGS, "default", "etl", {"status": {"revision": 1}}, "status")
    said = "it keeps revision 1; the DAG is now at revision 2: `tradewind rerun etl-1` uses it"
    commands = (
        ("retry", "etl-1", "--dry-run"),
        ("retry", "etl-1"),
        ("clear", "etl-1", "say", "--dry-run"),
        ("clear", "etl-1", "say"),
    )
    assert said not in await here.tradewind(*commands[0])
    await here.client.patch(DAGS, "default", "etl", {"status": {"revision": 2}}, "status")
    for arguments in commands:
        assert said in (await here.tradewind(*arguments)).splitlines(), arguments
    await here.client.delete(DAGS, "default", "etl")
    assert said not in await here.tradewind(*commands[0])
