"""kubectl, as people use it, against the server of `tradewind dev`."""

import asyncio
import shutil
from pathlib import Path

import pytest
import yaml
from tradewind.cli.dev import kubeconfig
from tradewind.local.session import session

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
HELLO = Path(__file__).parents[2] / "examples" / "hello.yaml"


async def test_apply_get_wait_describe_logs_explain_and_delete(tmp_path: Path) -> None:
    async with session(lambda: None, cwd=str(tmp_path)) as here:
        config = tmp_path / "kubeconfig"
        config.write_text(yaml.safe_dump(kubeconfig(here.connection.server, here.token)))

        async def kubectl(*arguments: str, stdin: str = "", code: int = 0) -> str:
            process = await asyncio.create_subprocess_exec(
                "kubectl",
                f"--kubeconfig={config}",
                f"--cache-dir={tmp_path}/cache",
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            out, _ = await process.communicate(stdin.encode())
            assert process.returncode == code, out.decode()
            return out.decode()

        assert "dag.tradewind.dev/hello created" in await kubectl("apply", "-f", str(HELLO))
        assert "unchanged" in await kubectl("apply", "-f", str(HELLO))
        run = "apiVersion: tradewind.dev/v1alpha1\nkind: DAGRun\nmetadata: {name: r1}\nspec: {dag: hello}\n"
        await kubectl("create", "-f", "-", stdin=run)
        await kubectl("wait", "--for=condition=Succeeded", "dagrun/r1", "--timeout=30s")
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
        await kubectl("wait", "--for=delete", "pod/r1-greet-1", "--timeout=20s")
        await kubectl("delete", "dag", "hello")
        assert "No resources found" in await kubectl("get", "dags")
