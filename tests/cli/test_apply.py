"""`tradewind apply`: all problems at once, and what it did."""

from pathlib import Path

import click
import pytest
from tradewind.cli.apply import command
from tradewind.kube.client import Object
from tradewind.kube.errors import Invalid, NotFound
from tradewind.kube.resources import CONFIG_MAPS, DAGS, RUNS, Resource

from cli.scene import Scene, scene

HEAD = "apiVersion: tradewind.dev/v1alpha1\nkind: DAG\n"
GOOD = HEAD + "metadata: {name: good}\nspec: {tasks: {a: {image: x, command: [x]}}}\n"
FILES = {
    "a.yaml": GOOD,
    "b.yaml": HEAD
    + "metadata: {name: b}\nspec: {tasks: {a: {image: x, colour: red}, c: {image: x, dependsOn: [z]}}}\n",
    "c.yaml": "a: [1\nb: 2",
    "d.yaml": HEAD
    + "metadata: {name: D_}\nspec: {tasks: {a: {image: x}}}\n---\n"
    + HEAD
    + "metadata: {name: e}\nspec: {}\n",
}


def folder(where: Path, **files: str) -> Path:
    made = where / "dags"
    made.mkdir()
    for name, text in files.items():
        (made / name).write_text(text)
    return made


async def failed(here: Scene, *arguments: str) -> tuple[str, str]:
    process = await here.start(*arguments)
    out, told = await process.communicate()
    assert process.returncode == 1, told
    return out.decode(), told.decode()


async def is_there(here: Scene, name: str) -> bool:
    try:
        await here.client.get(DAGS, "default", name)
    except NotFound:
        return False
    return True


@pytest.mark.parametrize("words", [("apply", "-f"), ("run", "-f")])
async def test_all_problems_of_all_files_are_reported_as_lint_does(tmp_path: Path, words: tuple[str, ...]) -> None:
    where = folder(tmp_path, **FILES)
    async with scene(tmp_path) as here:
        linted, _ = await failed_without_cluster(here, "lint", str(where))
        wanted = {line.split(": ", 1)[1] for line in linted.splitlines()}
        assert len(wanted) == 5, wanted
        arguments = (*words, str(where))
        _, told = await (failed(here, *arguments) if words[0] == "apply" else failed_without_cluster(here, *arguments))
        assert {line.removeprefix("Error: ").split(": ", 1)[1] for line in told.splitlines()} == wanted
        assert not await is_there(here, "good")


async def failed_without_cluster(here: Scene, *arguments: str) -> tuple[str, str]:
    process = await here.start(*arguments, config=False)
    out, told = await process.communicate()
    assert process.returncode == 1, told
    return out.decode(), told.decode()


async def test_what_the_server_refuses_is_reported_for_each_object_and_no_run_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME}\n"
    run = "apiVersion: tradewind.dev/v1alpha1\nkind: DAGRun\nmetadata: {name: r}\nspec: {dag: good}\n"
    maps = {f"{name}.yaml": refused.replace("NAME", name) for name in ("m1", "m2")}
    where = folder(tmp_path, **maps, **{"z.yaml": GOOD, "r.yaml": run})
    async with scene(tmp_path) as here:
        apply = here.client.apply

        async def selective(resource: Resource, namespace: str, name: str, body: Object, **query: str) -> Object:
            if resource is CONFIG_MAPS:
                raise Invalid(422, "Invalid", f"{name} is not wanted")
            return await apply(resource, namespace, name, body, **query)

        monkeypatch.setattr(here.client, "apply", selective)
        with pytest.raises(click.ClickException) as caught:
            await command.callback.__wrapped__(here.client, "default", (str(where),))  # type: ignore[union-attr]
        assert capsys.readouterr().out == "dag/good applied\n"
        assert str(caught.value).splitlines() == [
            "configmap/m1: m1 is not wanted",
            "configmap/m2: m2 is not wanted",
            "dagrun/r: not applied, because of the others",
        ]
        assert (await here.client.list(RUNS, "default"))["items"] == []


async def test_an_object_that_does_not_change_is_unchanged(tmp_path: Path) -> None:
    where = folder(tmp_path, **{"a.yaml": GOOD})
    async with scene(tmp_path) as here:
        assert await here.tradewind("apply", "-f", str(where)) == "dag/good applied\n"
        assert await here.tradewind("apply", "-f", str(where)) == "dag/good unchanged\n"
        (where / "a.yaml").write_text(GOOD.replace("image: x", "image: other"))
        assert await here.tradewind("apply", "-f", str(where)) == "dag/good applied\n"
