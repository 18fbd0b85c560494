"""CRDs and operator need not have the same version: an upgrade goes from one to the other while runs are active."""

import asyncio
import contextlib
import copy
import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster.fixtures import Cluster
from cluster.shell import ClusterError
from tradewind import GROUP
from tradewind.kube.resources import DAGS, RUNS
from tradewind.model.crd import manifests
from worlds.embedded import embedded
from worlds.world import Body, World, eventually

pytestmark = pytest.mark.timeout(200)
TASKS = {"a": {"command": ["true"]}, "b": {"dependsOn": ["a"], "command": ["true"]}}
NEWER = {"type": "string"}
"""The schema of a field that only the newer version has."""


def changed(change: Callable[[str, Body, Body], None]) -> list[Body]:
    """CRDs of another version: `change(name, properties of spec, properties of status)`."""
    found = copy.deepcopy(manifests())
    for crd in found:
        version = crd["spec"]["versions"][0]
        version["additionalPrinterColumns"] = []
        properties = version["schema"]["openAPIV3Schema"]["properties"]
        change(
            crd["metadata"]["name"],
            properties["spec"]["properties"],
            (properties.get("status") or {}).get("properties", {}),
        )
    return found


def older(name: str, _: Body, status: Body) -> None:
    for field in ("progress", "waiting", "done", "skips") if name.startswith("dagruns.") else ("revision", "tasks"):
        status.pop(field, None)


def newer(name: str, spec: Body, status: Body) -> None:
    if name.startswith(("dags.", "dagruns.")):
        spec["invented"] = status["invented"] = NEWER


@pytest.fixture
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with embedded(tmp_path, crds=changed(request.param)) as make:
        yield make("versions")


@pytest.mark.parametrize("world", [older], indirect=True, ids=["older"])
async def test_an_operator_works_with_crds_that_lack_fields_and_does_not_spin(world: World) -> None:
    with world.operator():
        async with world.client() as client:
            run = await world.start(client, world.dag("flow", TASKS))
            status = await world.finished(client, run)
            assert status["phase"] == "Succeeded" and "progress" not in status
            held = await world.start(
                client, world.dag("held", {"a": {"command": ["true"], "pools": [{"name": "none"}]}})
            )
            await world.until(client, held, lambda status: status.get("phase") == "Running")

            async def quiet() -> bool:
                """Whether nothing was written to the held run while another one ran."""
                before = (await client.get(RUNS, world.namespace, held))["metadata"]["resourceVersion"]
                other = await world.start(client, "flow")
                assert (await world.finished(client, other))["phase"] == "Succeeded"
                return (await client.get(RUNS, world.namespace, held))["metadata"]["resourceVersion"] == before

            assert any([await quiet() for _ in range(4)]), "what the server drops is not written again and again"


@pytest.mark.parametrize("world", [newer], indirect=True, ids=["newer"])
async def test_an_operator_keeps_what_a_newer_one_wrote_and_refuses_what_it_does_not_know(world: World) -> None:
    with world.operator():
        async with world.client() as client:
            await world.create(client, DAGS, world.dag("flow", {"a": {"script": {"shell": "sleep 1"}}}))
            run = await world.start(client, "flow")
            await client.patch(RUNS, world.namespace, run, {"status": {"invented": "kept"}}, "status")
            status = await world.finished(client, run)
            assert status["phase"] == "Succeeded" and status["invented"] == "kept"
            await world.create(client, DAGS, world.dag("later", TASKS, invented="x"))
            refused = await world.result(client, "later")
            assert refused["phase"] == "Failed" and "spec.invented: unknown field" in refused["message"], refused


@pytest.mark.e2e
async def test_stored_objects_move_to_a_new_api_version_without_being_made_anew(cluster: Cluster) -> None:
    """A rehearsal of v1alpha1 -> v1alpha2 on a group of its own: docs/design/2026-11-26-upgrades.md."""
    group, name = f"r{secrets.token_hex(3)}.{GROUP}", f"rehearsal-{secrets.token_hex(2)}"
    [source] = [crd for crd in manifests() if crd["metadata"]["name"] == f"dags.{GROUP}"]
    names = {"kind": "Rehearsal", "listKind": "RehearsalList", "plural": "rehearsals", "singular": "rehearsal"}
    first, second = copy.deepcopy(source["spec"]["versions"][0]), copy.deepcopy(source["spec"]["versions"][0])
    second["name"] = "v1alpha2"
    second["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["invented"] = {**NEWER, "default": "new"}

    async def serve(*versions: Body) -> None:
        spec = {"group": group, "scope": "Namespaced", "names": names, "versions": list(versions)}
        crd = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"rehearsals.{group}"},
            "spec": spec,
        }
        await kubectl("apply", "--server-side", "-f", "-", input=json.dumps(crd))

    async def kubectl(*words: str, **more: Any) -> str:
        return await asyncio.to_thread(cluster.kubectl, *words, **more)

    async def read(version: str, field: str = "tasks") -> Body:
        path = f"/apis/{group}/{version}/namespaces/{name}/rehearsals/flow"

        async def served() -> Body | None:
            with contextlib.suppress(ClusterError):
                found: Body = json.loads(await kubectl("get", "--raw", path))
                return found if field in found["spec"] else None
            return None

        return dict(await eventually(served))  # an API server serves a changed CRD a moment after it has accepted it

    async def create(body: Body) -> None:
        async def created() -> bool:
            with contextlib.suppress(ClusterError):
                await kubectl("create", "-n", name, "-f", "-", input=json.dumps(body))
                return True
            return False

        await eventually(created)

    await kubectl("create", "namespace", name)
    try:
        await serve({**first, "storage": True})
        dag = {
            "apiVersion": f"{group}/v1alpha1",
            "kind": "Rehearsal",
            "metadata": {"name": "flow"},
            "spec": {"tasks": {"a": {"image": "x"}}},
        }
        await create(dag)
        before = await read("v1alpha1")
        # Both are served: old clients continue, new ones see the existing objects. Defaults of the new version are
        # filled in when an object is stored again.
        await serve({**first, "storage": False}, {**second, "storage": True})
        crd = json.loads(await kubectl("get", "crd", f"rehearsals.{group}", "-o", "json"))
        assert crd["status"]["storedVersions"] == ["v1alpha1", "v1alpha2"]
        seen = await read("v1alpha2")
        assert "invented" not in seen["spec"] and seen["metadata"]["uid"] == before["metadata"]["uid"]
        # Storing each object once is the migration; then the old version may be removed.
        await kubectl("replace", "-f", "-", input=json.dumps(seen))
        merge = ("--subresource=status", "--type=merge", "-p", '{"status":{"storedVersions":["v1alpha2"]}}')
        await kubectl("patch", "crd", f"rehearsals.{group}", *merge)
        await serve({**second, "storage": True})
        after = await read("v1alpha2", "invented")
        assert after["metadata"]["uid"] == before["metadata"]["uid"]
        assert after["spec"] == {**before["spec"], "invented": "new"}
    finally:
        await kubectl("delete", "crd", f"rehearsals.{group}", "--ignore-not-found")
        await kubectl("delete", "namespace", name, "--wait=false")
