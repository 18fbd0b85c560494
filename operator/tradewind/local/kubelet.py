"""The laptop's kubelet: takes every pod and runs its `main` container as a local process, after the containers that
start before it. Images are not used."""

import asyncio
import contextlib
import logging
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from tradewind.kube.client import Client, Object
from tradewind.kube.errors import ApiError, Conflict, NotFound, Unavailable
from tradewind.kube.resources import PODS
from tradewind.local.environment import ConfigMissing, variables
from tradewind.local.helpers import Helpers
from tradewind.local.mounts import make_folders, translated
from tradewind.local.process import NotStarted, Process
from tradewind.tasks.expansion import expand

log = logging.getLogger(__name__)
OnLog = Callable[[Object, Path, bool], None]
"""Called with a pod, the file of its `main` container's output, and whether the container still runs: once before it
starts, once after it has ended."""
NODE = "local"
GRACE = 30.0


class Kubelet:
    """Runs pods of an API server as processes. `folder` holds logs, termination messages and volumes; tasks start in
    `cwd`."""

    def __init__(self, client: Client, folder: Path, cwd: str, on_log: OnLog = lambda *_: None) -> None:
        self._client, self._folder, self._cwd, self._on_log = client, folder, cwd, on_log
        self._pods: dict[str, asyncio.Task[None]] = {}
        self._processes: dict[str, Process] = {}
        self._helpers: dict[str, Helpers] = {}
        self._running: set[tuple[str, str]] = set()
        self._stopping: set[asyncio.Task[None]] = set()

    def log_path(self, namespace: str, pod: str, container: str = "main") -> Path:
        """The file of a container's output."""
        return self._folder / (
            f"{namespace}_{pod}.log" if container == "main" else f"{namespace}_{pod}_{container}.log"
        )

    async def run(self) -> None:
        """Follows pods until cancelled; then kills every process."""
        try:
            while True:
                with contextlib.suppress(ApiError):
                    await self._follow()
                await asyncio.sleep(0.1)
        finally:
            processes = list(self._processes.values())
            for process in processes:
                process.kill()
            for task in [*self._pods.values(), *self._stopping]:
                task.cancel()
            await asyncio.gather(*self._pods.values(), *self._stopping, return_exceptions=True)
            await asyncio.gather(*(process.wait() for process in processes))

    async def _follow(self) -> None:
        listed = await self._client.list(PODS)
        for found in listed["items"]:
            self._take_up(found)
        version = listed["metadata"]["resourceVersion"]
        async for line in self._client.watch(PODS, None, resourceVersion=version):
            event: Object = orjson.loads(line) if line else {"type": "BOOKMARK"}
            if event["type"] in ("ADDED", "MODIFIED"):
                self._take_up(event["object"])
            elif event["type"] == "DELETED":
                self._drop(event["object"]["metadata"]["uid"])

    def _take_up(self, pod: Object) -> None:
        meta = pod["metadata"]
        uid = meta["uid"]
        if meta.get("deletionTimestamp"):
            if uid in self._processes or uid in self._pods:
                self._run_in_background(self._end(pod))
            elif pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
                self._run_in_background(self._delete(pod))
        elif uid not in self._pods and _ours(pod) and pod.get("status", {}).get("phase", "Pending") == "Pending":
            self._pods[uid] = asyncio.create_task(self._run_pod(pod))

    def _run_in_background(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)

    def _drop(self, uid: str) -> None:
        if process := self._processes.pop(uid, None):
            process.kill()
        if task := self._pods.pop(uid, None):
            task.cancel()

    async def _end(self, pod: Object) -> None:
        """Deletes a pod gracefully: its process ends, then the object is removed."""
        uid = pod["metadata"]["uid"]
        if process := self._processes.get(uid):
            await process.stop(float(pod["metadata"].get("deletionGracePeriodSeconds") or GRACE))
        if (task := self._pods.get(uid)) and uid not in self._processes:
            task.cancel()
        elif task:
            await asyncio.wait([task], timeout=5)
        await self._delete(pod)

    async def _delete(self, pod: Object) -> None:
        meta = pod["metadata"]
        with contextlib.suppress(ApiError):
            await self._client.delete(PODS, meta["namespace"], meta["name"], uid=meta["uid"], gracePeriodSeconds=0)

    async def _run_pod(self, pod: Object) -> None:
        """Runs one pod from start to end."""
        meta = pod["metadata"]
        main = _main(pod)
        try:
            await _insist(lambda: self._client.bind(meta["namespace"], meta["name"], NODE))
            await self._run_containers(pod, main)
        except NotFound:
            return
        except ApiError as error:
            log.warning("pod %s: %s", meta["name"], error)
            self._pods.pop(meta["uid"], None)

    async def _run_containers(self, pod: Object, main: Object) -> None:
        """Runs the helper containers, then the main one; leaves no process behind."""
        uid, own = pod["metadata"]["uid"], self._folder / pod["metadata"]["uid"]

        async def start(container: Object, command: list[str]) -> Process:
            env, message = self._here(pod, container, await self._environment(pod, container))
            log = self.log_path(pod["metadata"]["namespace"], pod["metadata"]["name"], container["name"])
            return await Process.start([expand(text, env) for text in command], env, self._cwd, log, message)

        helpers = self._helpers[uid] = Helpers(pod, start, _now)
        try:
            if await helpers.begin():
                await self._run(pod, main, await self._environment(pod, main))
            else:
                await self._write_status(pod, "Failed", main, {"waiting": {"reason": "PodInitializing"}})
        finally:
            helpers.kill()
            del self._helpers[uid]
            shutil.rmtree(own, ignore_errors=True)
            for message in self._folder.glob(f"{uid}.*"):
                message.unlink(missing_ok=True)

    def _here(self, pod: Object, container: Object, env: dict[str, str]) -> tuple[dict[str, str], Path]:
        """A container's variables with the paths of this machine, and the path of its termination message."""
        uid = pod["metadata"]["uid"]
        message = self._folder / f"{uid}.{container['name']}"
        found = make_folders(pod, container, self._folder / uid, self._folder / "claims")
        return translated(env, found, container, message), message

    async def _run(self, pod: Object, main: Object, env: dict[str, str]) -> None:
        meta = pod["metadata"]
        # Without a command, `args` go to the image's entrypoint, which only a container runtime knows.
        argv = [expand(text, env) for text in [*main["command"], *main.get("args", [])]] if main.get("command") else []
        began = _now()
        cwd = main.get("workingDir") or self._cwd
        try:
            env, message = self._here(pod, main, env)
            if not argv:
                raise NotStarted(
                    "the container has no command: the image's entrypoint is not known on this machine; write `command`"
                )
            if not Path(cwd).is_dir():
                raise NotStarted(f"workingDir {cwd} does not exist on this machine")
            path = self.log_path(meta["namespace"], meta["name"])
            path.touch(0o600)
            self._on_log(pod, path, True)
            process = await Process.start(argv, env, cwd, path, message)
        except NotStarted as error:
            await self._write_end(pod, main, began, 128, "StartError", str(error))
            return
        self._processes[meta["uid"]] = process
        self._running.add((meta["namespace"], meta["name"]))
        try:
            await self._write_status(pod, "Running", main, {"running": {"startedAt": began}})
            deadline = pod["spec"].get("activeDeadlineSeconds")
            try:
                async with asyncio.timeout(deadline):
                    code, reason = await process.wait(), ""
            except TimeoutError:
                await process.stop(float(pod["spec"].get("terminationGracePeriodSeconds") or GRACE))
                code, reason = await process.wait(), "DeadlineExceeded"
            await self._write_end(
                pod, main, began, code, "Completed" if code == 0 else "Error", process.message(), reason
            )
        finally:
            process.kill()
            self._processes.pop(meta["uid"], None)
            self._running.discard((meta["namespace"], meta["name"]))
            self._on_log(pod, path, False)

    async def _write_end(
        self, pod: Object, main: Object, began: str, code: int, why: str, message: str, pod_reason: str = ""
    ) -> None:
        terminated = {"exitCode": code, "reason": why, "message": message, "startedAt": began, "finishedAt": _now()}
        phase = "Succeeded" if code == 0 and not pod_reason else "Failed"
        if any("running" in status["state"] for status in self._helpers[pod["metadata"]["uid"]].statuses()):
            await self._write_status(pod, "Running", main, {"terminated": terminated}, pod_reason)
            grace = float(pod["spec"].get("terminationGracePeriodSeconds") or GRACE)
            await self._helpers[pod["metadata"]["uid"]].finish(grace)
        await self._write_status(pod, phase, main, {"terminated": terminated}, pod_reason)

    async def _write_status(self, pod: Object, phase: str, main: Object, state: Object, reason: str = "") -> None:
        meta = pod["metadata"]
        status: Object = {
            "phase": phase,
            "startTime": _now(),
            "hostIP": "127.0.0.1",
            "containerStatuses": [
                {
                    "name": main["name"],
                    "image": main["image"],
                    "imageID": "",
                    "ready": "running" in state,
                    "restartCount": 0,
                    "state": state,
                }
            ],
        }
        if helpers := self._helpers[meta["uid"]].statuses():
            status["initContainerStatuses"] = helpers
        if reason:
            status |= {"reason": reason, "message": "Pod was active on the node longer than the specified deadline"}
        await _insist(lambda: self._client.patch(PODS, meta["namespace"], meta["name"], {"status": status}, "status"))

    async def _environment(self, pod: Object, container: Object) -> dict[str, str]:
        """The container's variables. While Secrets or ConfigMaps are missing, the pod's status says so and this waits."""
        said = ""
        while True:
            try:
                return await variables(self._client, pod["metadata"]["namespace"], container)
            except ConfigMissing as error:
                if str(error) != said:
                    said = str(error)
                    waiting = {"reason": "CreateContainerConfigError", "message": said}
                    if container in pod["spec"]["containers"]:
                        await self._write_status(pod, "Pending", container, {"waiting": waiting})
                    else:
                        self._helpers[pod["metadata"]["uid"]].hold(container, **waiting)
                        await self._write_status(pod, "Pending", _main(pod), {"waiting": {"reason": "PodInitializing"}})
                await asyncio.sleep(0.5)

    async def logs(
        self,
        namespace: str,
        pod: str,
        container: str = "main",
        *,
        follow: bool = False,
        tail_lines: int | None = None,
        **_: Any,
    ) -> AsyncIterator[bytes]:
        """The pod's output; with `follow`, until its process has ended."""
        path = self.log_path(namespace, pod, container)
        offset = 0
        while True:
            alive = (namespace, pod) in self._running
            data = path.read_bytes()[offset:] if path.exists() else b""
            offset += len(data)
            if tail_lines is not None and data:
                data = b"".join(data.splitlines(keepends=True)[-tail_lines:])
                tail_lines = None
            if data:
                yield data
            if not follow or not alive:
                return
            await asyncio.sleep(0.1)


def _main(pod: Object) -> Object:
    containers = pod["spec"]["containers"]
    found: Object = next((item for item in containers if item["name"] == "main"), containers[0])
    return found


def _ours(pod: Object) -> bool:
    """Whether a pod runs here: it is bound to this node, or left to the scheduler, which is this program too."""
    spec = pod["spec"]
    return spec.get("nodeName", NODE) == NODE and (
        "nodeName" in spec or spec.get("schedulerName") == "default-scheduler"
    )


async def _insist(request: Callable[[], Awaitable[Any]]) -> None:
    """Repeats a request until the API server has answered. A Conflict means that an earlier try succeeded."""
    while True:
        try:
            await request()
        except Unavailable:
            await asyncio.sleep(0.1)
        except Conflict:
            return
        else:
            return


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
