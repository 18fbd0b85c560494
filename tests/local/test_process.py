import asyncio
import os
import signal
import sys
import tempfile
from functools import partial
from pathlib import Path

import pytest
from tradewind.local.folder import LOCK, session_folder
from tradewind.local.mounts import make_folders
from tradewind.local.process import NotStarted, Process

ENV = {"PATH": os.environ["PATH"]}


async def start(folder: Path, *argv: str) -> Process:
    return await Process.start(argv, ENV, str(folder), folder / "log", folder / "message")


def alive(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


async def gone(pid: int) -> None:
    async with asyncio.timeout(100):
        while alive(pid):
            await asyncio.sleep(0.01)


async def test_exit_code_and_message(tmp_path: Path) -> None:
    process = await start(tmp_path, "sh", "-c", f"echo out; echo err >&2; echo '{{}}' > {tmp_path}/message; exit 3")
    assert await process.wait() == 3
    assert process.message() == "{}\n" and (tmp_path / "log").read_text() == "out\nerr\n"


async def test_a_signal_is_128_and_its_number(tmp_path: Path) -> None:
    assert await (await start(tmp_path, "sh", "-c", "kill -9 $$")).wait() == 137


async def test_a_message_over_the_limit_keeps_its_end(tmp_path: Path) -> None:
    process = await start(tmp_path, sys.executable, "-c", f"open('{tmp_path}/message', 'w').write('a' * 5000 + 'z')")
    await process.wait()
    assert len(process.message()) == 4_096 and process.message().endswith("z")


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
async def test_children_left_behind_are_killed(tmp_path: Path) -> None:
    process = await start(tmp_path, "sh", "-c", f"sleep 600 & echo $! > {tmp_path}/pid")
    await process.wait()
    await gone(int((tmp_path / "pid").read_text()))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs /proc")
async def test_a_program_that_ignores_sigterm_is_killed_after_the_grace_period(tmp_path: Path) -> None:
    process = await start(tmp_path, "sh", "-c", f"trap '' TERM; echo $$ > {tmp_path}/pid; while :; do sleep 0.05; done")
    async with asyncio.timeout(100):
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            await asyncio.sleep(0.01)
    await process.stop(0.1)
    await gone(int((tmp_path / "pid").read_text()))


async def test_a_command_that_does_not_exist_is_worded_as_a_runtime_words_it(tmp_path: Path) -> None:
    with pytest.raises(NotStarted, match='exec: "nope": executable file not found on this machine'):
        await start(tmp_path, "nope")


linux = pytest.mark.skipif(sys.platform != "linux", reason="needs orphans to be adopted")
ESCAPE = "setsid sh -c 'echo $$ > {pid}; exec sleep 600' & while [ ! -s {pid} ]; do sleep 0.01; done; "


async def pid_in(path: Path) -> int:
    async with asyncio.timeout(100):
        while not path.exists() or not path.read_text().strip():
            await asyncio.sleep(0.01)
    return int(path.read_text())


@linux
@pytest.mark.parametrize("then", ["exit 3", "sleep 600"])
async def test_children_in_a_session_of_their_own_are_killed_too(tmp_path: Path, then: str) -> None:
    process = await start(tmp_path, "sh", "-c", ESCAPE.format(pid=tmp_path / "pid") + then)
    escaped = await pid_in(tmp_path / "pid")
    if then == "exit 3":
        assert await process.wait() == 3
    else:
        await process.stop(0.1)
        await process.wait()
    await gone(escaped)


@linux
async def test_what_forks_faster_than_it_can_be_counted_is_killed(tmp_path: Path) -> None:
    loop = f"while :; do setsid sleep 600 & echo $! >> {tmp_path}/pids; sleep 0.01; done"
    process = await start(tmp_path, "sh", "-c", loop)
    async with asyncio.timeout(100):
        while not (tmp_path / "pids").exists() or len((tmp_path / "pids").read_text().split()) < 10:
            await asyncio.sleep(0.01)
    process.kill()
    await process.wait()
    for pid in (tmp_path / "pids").read_text().split():
        await gone(int(pid))


DAG = """
apiVersion: tradewind.dev/v1alpha1
kind: DAG
metadata: {{name: d}}
spec: {{tasks: {{t: {{image: x, script: {{shell: "echo $$ > {pid}.main; {escape} sleep 600"}}}}}}}}
"""


@linux
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
async def test_nothing_of_a_session_survives_it(tmp_path: Path, how: signal.Signals) -> None:
    (tmp_path / "dag.yaml").write_text(DAG.format(pid=tmp_path / "pid", escape=ESCAPE.format(pid=tmp_path / "pid")))
    command = [sys.executable, "-m", "tradewind.cli", "run", "-f", str(tmp_path / "dag.yaml")]
    where = tmp_path / "tmp"
    where.mkdir()
    env = {**os.environ, "TMPDIR": str(where)}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command,
        env=env,
        stdout=pipe,
        stderr=pipe,
        preexec_fn=partial(signal.signal, how, signal.SIG_DFL) if how != signal.SIGKILL else None,
    )  # under nohup a signal is ignored, and stays so
    pids = [await pid_in(tmp_path / "pid.main"), await pid_in(tmp_path / "pid")]
    process.send_signal(how)
    await process.communicate()
    for pid in pids:
        await gone(pid)
    (tmp_path / "dag.yaml").write_text(DAG.format(pid=tmp_path / "other", escape="exit;"))
    after = await asyncio.create_subprocess_exec(*command, env=env, stdout=pipe, stderr=pipe)
    await after.communicate()
    assert after.returncode == 0 and all("-logs-" in path.name for path in where.glob("tradewind-*"))


def test_only_folders_of_dead_sessions_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "tradewind-notes").mkdir()
    with session_folder() as first:
        (tmp_path / "tradewind-killed").mkdir()
        (tmp_path / "tradewind-killed" / LOCK).touch()
        with session_folder() as second:
            assert first.exists() and second.exists()
            assert {each.name for each in tmp_path.iterdir()} == {first.name, second.name, "tradewind-notes"}
    assert [each.name for each in tmp_path.iterdir()] == ["tradewind-notes"]


@pytest.mark.parametrize("field", ["subPath", "claimName"])
@pytest.mark.parametrize("name", ["../..", "a/../../../x", "/etc", "link"])
def test_a_volume_is_not_left(tmp_path: Path, field: str, name: str) -> None:
    claims = tmp_path / "claims"
    for folder in (claims / "default", claims / "default" / "c"):
        folder.mkdir(parents=True)
        (folder / "link").symlink_to(tmp_path)
    claim = name if field == "claimName" else "c"
    mount = {"name": "v", "mountPath": "/v", "subPath": name if field == "subPath" else ""}
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]
    pod = {"metadata": {"namespace": "default"}, "spec": {"volumes": volumes}}
    with pytest.raises(NotStarted, match=field):
        make_folders(pod, {"volumeMounts": [mount]}, tmp_path / "own", claims)
