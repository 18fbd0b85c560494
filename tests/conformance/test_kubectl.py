"""kubectl, as people use it, against the server of `tradewind dev`."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest
import yaml
from tradewind.cli.dev import kubeconfig
from tradewind.local.session import session

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
HELLO = Path(__file__).parents[2] / "examples" / "hello.yaml"


class Kubectl(Protocol):
    async def __call__(self, *arguments: str, stdin: str = "", code: int = 0, **env: str) -> str: ...


@contextlib.asynccontextmanager
async def dev(folder: Path) -> AsyncIterator[Kubectl]:
    """kubectl with the kubeconfig of a session: its output, including errors."""
    async with session(lambda: None, cwd=str(folder)) as here:
        config = folder / "kubeconfig"
        config.write_text(yaml.safe_dump(kubeconfig(here.connection.server, here.token)))

        async def kubectl(*arguments: str, stdin: str = "", code: int = 0, **env: str) -> str:
            process = await asyncio.create_subprocess_exec(
                "kubectl",
                f"--kubeconfig={config}",
                f"--cache-dir={folder}/cache",
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={**os.environ, **env},
            )
            out, _ = await process.communicate(stdin.encode())
            assert process.returncode == code, out.decode()
            return out.decode()

        yield kubectl


async def test_apply_get_wait_describe_logs_explain_and_delete(tmp_path: Path) -> None:
    async with dev(tmp_path) as kubectl:
        assert "dag.tradewind.dev/hello created" in await kubectl("apply", "-f", str(HELLO))
        assert "unchanged" in await kubectl("apply", "-f", str(HELLO))
        run = "apiVersion: tradewind.dev/v1alpha1\nkind: DAGRun\nmetadata: {name: r1}\nspec: {dag: hello}\n"
        await kubectl("create", "-f", "-", stdin=run)
        await kubectl("wait", "--for=condition=Succeeded", "dagrun/r1", "--timeout=120s")
        shown = await kubectl("get", "dags,dr")
        assert "2/2" in shown and "Succeeded" in shown and "LAST RUN" in shown
        assert "Completed" in await kubectl("get", "pods")
        described = await kubectl("describe", "dagrun", "r1")
        assert "RunSucceeded" in described and "Progress:" in described
        assert await kubectl("logs", "r1-greet-1") == "hello world 5\n"
        assert "dependsOn" in await kubectl("explain", "dag.spec.tasks")
        bad = run.replace("r1", "r2").replace("dag: hello", "dag: hello, colour: red")
        assert 'unknown field "spec.colour"' in await kubectl("create", "-f", "-", stdin=bad, code=1)
        await kubectl("delete", "dagrun", "r1")
        await kubectl("wait", "--for=delete", "pod/r1-greet-1", "--timeout=120s")
        await kubectl("delete", "dag", "hello")
        assert "No resources found" in await kubectl("get", "dags")


async def test_create_makes_what_typed_commands_send(tmp_path: Path) -> None:
    async with dev(tmp_path) as kubectl:
        await kubectl("create", "configmap", "c", "--from-literal=a=b")
        await kubectl("create", "secret", "generic", "s", "--from-literal=a=ü")
        await kubectl("create", "namespace", "n")
        await kubectl("create", "quota", "q", "--hard=pods=1,cpu=2")
        await kubectl("create", "serviceaccount", "acc")
        await kubectl("create", "role", "r", "--verb=get", "--resource=pods")
        await kubectl("create", "rolebinding", "rb", "--role=r", "--serviceaccount=default:acc")
        assert await kubectl("get", "cm", "c", "-o", "jsonpath={.data}") == '{"a":"b"}'
        assert await kubectl("get", "secret", "s", "-o", "jsonpath={.data.a}{.type}") == "w7w=Opaque"
        assert await kubectl("get", "quota", "q", "-o", "jsonpath={.spec.hard}") == '{"cpu":"2","pods":"1"}'
        assert '"verbs":["get"]' in await kubectl("get", "role", "r", "-o", "jsonpath={.rules}")
        assert len(await kubectl("create", "token", "acc")) > 30
        assert await kubectl("auth", "can-i", "create", "dags") == "yes\n"
        assert "apply -f" in await kubectl("create", "deployment", "d", "--image=x", code=1)


async def test_all_categories_and_short_names_are_known(tmp_path: Path) -> None:
    async with dev(tmp_path) as kubectl:
        await kubectl("apply", "-f", str(HELLO))
        assert "dag.tradewind.dev/hello" in await kubectl("get", "all")
        for kinds in ("tradewind", "dr,ns", "dags,quota,sa"):
            assert "Warning" not in (shown := await kubectl("get", kinds)) and "doesn't have" not in shown


LIST = """apiVersion: v1
kind: List
items:
- {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "labels": {"app": "l"}}, "data": {"a": "b"}}
- {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "two", "labels": {"app": "l"}}, "data": {"a": "b"}}
"""


async def test_lists_are_applied_pruned_compared_edited_and_patched(tmp_path: Path) -> None:
    first = "".join(LIST.splitlines(keepends=True)[:4])
    async with dev(tmp_path) as kubectl:
        assert "configmap/two created" in await kubectl("create", "-f", "-", stdin=LIST)
        await kubectl("delete", "-f", "-", stdin=LIST)
        await kubectl("apply", "-f", "-", stdin=LIST)
        prune = ("apply", "--prune", "-l", "app=l", "--prune-allowlist=core/v1/ConfigMap", "-f", "-")
        assert "configmap/two pruned" in await kubectl(*prune, stdin=first)
        await kubectl("patch", "cm", "one", "-p", '{"data": {"c": "d"}}')
        await kubectl("patch", "cm", "one", "--type=json", "-p", '[{"op": "remove", "path": "/data/a"}]')
        assert await kubectl("get", "cm", "one", "-o", "jsonpath={.data}") == '{"c":"d"}'
        assert "+  a: b" in await kubectl("diff", "-f", "-", stdin=first, code=1)
        await kubectl("edit", "cm", "one", KUBE_EDITOR="sed -i s/c:.d/c:\\ e/")
        assert await kubectl("get", "cm", "one", "-o", "jsonpath={.data}") == '{"c":"e"}'


TWO = """apiVersion: tradewind.dev/v1alpha1
kind: DAG
metadata: {name: d}
spec: {parallelism: 3, tasks: {one: {image: x, command: ["true"]}, two: {image: x, command: ["false"]}}}
"""
ONE = TWO.replace("parallelism: 3, ", "").replace(', two: {image: x, command: ["false"]}', "")


@pytest.mark.parametrize("way", ["client", "server"])
async def test_apply_removes_what_was_removed(tmp_path: Path, way: str) -> None:
    options = ["--server-side"] if way == "server" else []
    async with dev(tmp_path) as kubectl:
        await kubectl("apply", *options, "-f", "-", stdin=TWO)
        await kubectl("apply", *options, "-f", "-", stdin=ONE)
        assert (
            await kubectl("get", "dag", "d", "-o", "jsonpath={.spec}")
            == '{"tasks":{"one":{"command":["true"],"image":"x"}}}'
        )
        if way == "server":
            await kubectl("patch", "dag", "d", "--type=merge", "-p", '{"spec": {"parallelism": 5}}')
            refused = await kubectl("apply", "--server-side", "-f", "-", stdin=TWO, code=1)
            assert 'conflict with "kubectl-patch"' in refused and ".spec.parallelism" in refused
            await kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=TWO)
