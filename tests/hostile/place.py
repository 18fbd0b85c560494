"""`python -m hostile.place`: the embedded API server in its own process, with a kubelet that only pretends, and a
record of the operator's requests for objects that are none of its business. It prints its addresses on a line of
stdout; it ends when stdin does."""

import asyncio
import json
import os
import sys
import threading
from typing import Any

import orjson
from aiohttp import web
from tradewind.local.apiserver import ApiServer, operations, server, store, watch
from tradewind.local.apiserver.url import parse, verb_of
from tradewind.model.crd import manifests

from hostile import plants

MALLORY, BYSTANDER, CROWN, HOME = "mallory", "bystander", "crown", "tradewind"
JEWEL = "jewel-of-the-crown"
"""What nobody may see."""
TOKEN = "operator"
MESSAGE = "HOSTILE_MESSAGE"
"""The variable of a pod with its task's termination message."""
KEPT = 200
"""Unusual requests that are recorded."""
ROUTINE = {
    "dags",
    "dagruns",
    "triggers",
    "backfills",
    "approvals",
    "pools",
    "tasktemplates",
    "dagtemplates",
    "pods",
    "events",
}
ROUTINE |= {"controllerrevisions", "resourcequotas", "serviceaccounts"}
"""The resources that an operator uses in a namespace with DAGs."""
GUARDED = {"secrets", "configmaps"}


class Json:
    """orjson with the nesting limit of a Kubernetes API server."""

    JSONDecodeError = orjson.JSONDecodeError

    @staticmethod
    def dumps(value: Any, *rest: Any, **more: Any) -> bytes:
        try:
            return orjson.dumps(value, *rest, **more)
        except TypeError:
            return json.dumps(value, separators=(",", ":"), default=str).encode()

    @staticmethod
    def loads(data: bytes | str) -> Any:
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError as error:
            if "recursion" not in str(error).lower():
                raise
            return json.loads(data)


class Recorded(ApiServer):
    """Records what the operator, whose token is in the path, requests in other namespaces."""

    def __init__(self) -> None:
        super().__init__(crds=plants.crds(manifests()), token=TOKEN)
        self.strange: list[str] = []

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if request.path.startswith(f"/{TOKEN}/") and (why := _strange(request)):
            self.strange = [
                *self.strange[-KEPT:],
                f"{request.method} {request.raw_path.partition('/' + TOKEN)[2]} ({why})",
            ]
        return await super()._serve(request)


def _strange(request: web.Request) -> str:
    path = request.path.removeprefix(f"/{TOKEN}")
    if not {"..", ".", ""}.isdisjoint(path.split("/")[1:]):
        return "no path of the API"
    target = parse(path)
    verb = verb_of(request.method, target, request.query)
    match target.namespace:
        case "":
            return "all namespaces" if target.plural in GUARDED else ""
        case "mallory":
            return ""
        case "bystander":
            ours = target.plural in ROUTINE and (
                not target.name or target.name.startswith("b-") or target.plural == "events"
            )
            return "" if ours else f"{verb} {target.plural} of the bystander"
        case "tradewind":
            return (
                "" if target.plural in ("leases", "events", "pods") else f"{verb} {target.plural} of the installation"
            )
    if verb == "get" and target.plural == "dags" and target.namespace not in (CROWN, BYSTANDER, HOME):
        return ""  # the operator reports itself whether a DAG of a named namespace may be followed
    return (
        ""
        if target.namespace == CROWN and target.plural in ROUTINE and not target.name
        else f"namespace {target.namespace}"
    )


class Pretender:
    """Ends pods as soon as they exist, with the results in their variables."""

    def __init__(self, do: operations.Operations) -> None:
        self._do, self._pods = do, do.kind("", "v1", "pods")

    async def run(self) -> None:
        while True:
            await asyncio.sleep(0.05)
            for pod in self._do.store.list(self._pods.key):
                meta = pod["metadata"]
                try:
                    if meta.get("deletionTimestamp"):
                        self._do.delete(self._pods, meta["namespace"], meta["name"], {"gracePeriodSeconds": 0}, False)
                    elif pod["status"].get("phase") == "Pending":
                        done = {**pod, "status": _done(pod)}
                        self._do.change(
                            self._pods,
                            meta["namespace"],
                            meta["name"],
                            lambda _, to=done: to,
                            subresource="status",
                            mode="Warn",
                            dry_run=False,
                        )
                except Exception as error:
                    print(f"pod {meta['name']}: {error}", file=sys.stderr)


def _done(pod: Any) -> Any:
    main = pod["spec"]["containers"][0]
    message = next((item.get("value", "") for item in main.get("env") or [] if item["name"] == MESSAGE), "")
    now = "2026-01-01T00:00:00Z"
    terminated = {"exitCode": 0, "reason": "Completed", "message": message, "startedAt": now, "finishedAt": now}
    status = {
        "name": main["name"],
        "image": main["image"],
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "state": {"terminated": terminated},
    }
    return {**pod["status"], "phase": "Succeeded", "startTime": now, "containerStatuses": [status]}


def _furnish(do: operations.Operations) -> None:
    for name in (MALLORY, BYSTANDER, CROWN, HOME):
        do.create(do.kind("", "v1", "namespaces"), "", {"metadata": {"name": name}})
    jewel = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "crown"},
        "stringData": {"key": JEWEL, "password": JEWEL},
    }
    listing = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "crown"}, "data": {"key": JEWEL}}
    own = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "own"},
        "stringData": {"accessKey": "a", "secretKey": "b", "key": "k", "password": "p", "username": "u"},
    }
    for namespace in (CROWN, BYSTANDER):
        do.create(do.kind("", "v1", "secrets"), namespace, jewel)
        do.create(do.kind("", "v1", "configmaps"), namespace, listing)
    do.create(do.kind("", "v1", "secrets"), MALLORY, own)


def _wipe(do: operations.Operations, namespace: str) -> int:
    """Deletes all that a tenant has created."""
    found = [(key, body) for key, body in do.store.all() if body["metadata"].get("namespace") == namespace]
    for key, body in found:
        if body["metadata"]["name"] != "own":
            do.store.remove(key, body)
    return len(found)


async def _serve() -> None:
    api = Recorded()
    _furnish(api.operations)
    await api.start()
    control = web.Application()

    async def strange(_: web.Request) -> web.Response:
        found, api.strange = api.strange, []
        return web.json_response(found)

    async def wipe(request: web.Request) -> web.Response:
        return web.json_response(_wipe(api.operations, request.query["namespace"]))

    control.router.add_get("/strange", strange)
    control.router.add_post("/wipe", wipe)
    runner = web.AppRunner(control)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    pretending = asyncio.create_task(Pretender(api.operations).run())
    print(json.dumps({"api": api.url, "control": f"http://127.0.0.1:{runner.addresses[0][1]}"}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    pretending.cancel()
    os._exit(0)


def main() -> None:
    """Runs in a thread with a stack for deeply nested objects."""
    for module in (server, store, watch):
        module.orjson = Json  # type: ignore[attr-defined]
    sys.setrecursionlimit(60_000)
    threading.stack_size(512 * 2**20)
    thread = threading.Thread(target=lambda: asyncio.run(_serve()))
    thread.start()
    thread.join()


if __name__ == "__main__":
    main()
