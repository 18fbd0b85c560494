"""Pictures of runs: each with its planner and its pods, as the operator sees it, while a user has its page open."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dagrun.state import RunState, picture
from tradewind.control.dags.revisions import Revisions
from tradewind.control.evaluation.host import Host
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import NotFound
from tradewind.kube.labels import RUN_UID
from tradewind.kube.lists import ListMetadata
from tradewind.kube.pages import parse_page
from tradewind.kube.pod import Pod, parse_pod
from tradewind.kube.reflector import Reflector
from tradewind.kube.resources import PODS, RUNS
from tradewind.look.reading import reading
from tradewind.plan.documents.problem import Invalid
from tradewind.server.access import Access
from tradewind.server.caller import Caller
from tradewind.server.hub import Hub
from tradewind.server.route import Need

log = logging.getLogger(__name__)
T = TypeVar("T")
KEPT = 50
"""Pictures in memory."""
UNSEEN = 60.0
"""Seconds after which the pods of a run are no longer followed without a request."""
SYNC = 10.0
"""Seconds for which a request waits for the first list of a run's pods."""
RATIO = 4.0
"""A large run is drawn again after this many times the seconds that drawing took: drawing must not take a whole core."""
SEE_PODS = Need("list", PODS)


class RunPods(Reflector):
    """The pods of one run."""

    resource = PODS
    lists_again = False

    def __init__(self, client: Client, namespace: str, uid: str, changed: Callable[[], None]) -> None:
        super().__init__(client, [namespace])
        self.listing: Mapping[str, str] = {"labelSelector": f"{RUN_UID}={uid}", "limit": "500"}
        self.watching: Mapping[str, str] = {"labelSelector": f"{RUN_UID}={uid}"}
        self.pods: dict[str, Pod] = {}
        self.count = 0
        """Grows with every change."""
        self._changed = changed
        self._there: set[str] = set()

    def begin_list(self, namespace: str | None) -> None:
        """Starts a list."""
        self._there = set()

    def take_page(self, namespace: str | None, raw: bytes) -> ListMetadata:
        """Takes the pods of a page."""
        page = parse_page(raw)
        for item in page.items:
            with self._alone(item):
                pod = parse_pod(item)
                self._there.add(pod.metadata.name)
                self._put(pod)
        return page.metadata

    def end_list(self, namespace: str | None, version: int) -> None:
        """Drops pods that were on no page."""
        for name in [name for name, pod in self.pods.items() if name not in self._there and pod.version <= version]:
            del self.pods[name]
            self._note()

    def take_event(self, kind: str, raw: bytes) -> None:
        """Takes a change."""
        pod = parse_pod(raw)
        if kind == "DELETED":
            if self.pods.pop(pod.metadata.name, None):
                self._note()
        else:
            self._put(pod)

    def _put(self, pod: Pod) -> None:
        known = self.pods.get(pod.metadata.name)
        if known is None or known.version < pod.version:
            self.pods[pod.metadata.name] = pod
            self._note()

    def _note(self) -> None:
        self.count += 1
        self._changed()


@dataclass
class View:
    """A run now. `state` is None before it has begun, or if its revision is gone (`partial` says so)."""

    body: Object
    run: Run
    state: RunState | None
    pods: Mapping[str, Pod]
    partial: str
    """Why something is missing; empty if nothing is."""
    version: str
    """Changes with the run or its pods."""
    made: dict[str, Any] = field(default_factory=dict)
    """What was made from it, by name."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while something is computed from it: a computation pauses, and another must not find its planner half-way."""


@dataclass
class _Kept:
    uid: str
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    followed: RunPods | None = None
    following: "asyncio.Task[None] | None" = None
    view: View | None = None
    took: float = 0.0
    drawn: float = 0.0
    seen: float = 0.0

    def end(self) -> None:
        if self.following:
            self.following.cancel()
        self.following = self.followed = None


class Pictures:
    """The pictures, by caller: pods are read with the caller's credentials."""

    def __init__(self, host: Host, hub: Hub, access: Access) -> None:
        self.host = host
        self._hub, self._access = hub, access
        self._kept: OrderedDict[tuple[str, str, str], _Kept] = OrderedDict()
        self._revisions: dict[str, Revisions] = {}

    def revisions(self, caller: Caller) -> Revisions:
        """Reads revisions with the caller's credentials."""
        return self._revisions.setdefault(caller.user, Revisions(caller.client))

    async def view(self, caller: Caller, namespace: str, name: str, fresh: bool = False) -> View:
        """A run now, read from the API server. That of a large run may be some seconds old, unless it must be `fresh`. Raises
        ApiError and StatusUnreadable."""
        body = await caller.client.get(RUNS, namespace, name)
        run = read_run(body)
        key = (caller.user, namespace, name)
        kept = self._kept.get(key)
        if kept is None or kept.uid != run.uid:
            if kept:
                kept.end()
            kept = self._kept[key] = _Kept(run.uid)
        self._kept.move_to_end(key)
        kept.seen = time.monotonic()
        self._tidy()
        async with kept.lock:
            return await self._view(caller, kept, body, run, fresh)

    async def _view(self, caller: Caller, kept: _Kept, body: Object, run: Run, fresh: bool) -> View:
        known = kept.view.run if kept.view else None
        if kept.view and known and (known.version > run.version or (run.final and known.version == run.version)):
            return kept.view  # Another request has read a newer version meanwhile, or it never changes.
        pods, count, partial = await self._pods(caller, kept, run)
        version = f"{run.version}-{count}"
        if kept.view and (kept.view.version == version or (not fresh and self._soon(kept, kept.view, run))):
            return kept.view
        began = time.perf_counter()
        state = None
        if revision := str(run.status.get("revision") or ""):
            try:
                state = await self.draw(caller, run, pods)
            except (NotFound, Invalid):
                partial = f"revision {revision} can't be read any more: tasks are not shown"
        kept.took, kept.drawn = time.perf_counter() - began, time.monotonic()
        kept.view = View(body, run, state, pods, partial, version)
        return kept.view

    async def draw(self, caller: Caller, run: Run, pods: Mapping[str, Pod]) -> RunState:
        """The state of a run that has begun, in slices. Raises ApiError, Invalid and StatusUnreadable."""

        async def drawn() -> RunState:
            with reading(f"dagrun/{run.name}"):
                definition = await self.revisions(caller).load(run.namespace, str(run.status["revision"]))
                return picture(run, definition, pods)

        return await self.host.run(run.namespace, drawn())

    async def compute(self, view: View, work: Callable[[], T]) -> T:
        """What `work` computes from a view, in slices, and one at a time. Raises StatusUnreadable."""

        async def done() -> T:
            with reading(f"dagrun/{view.run.name}"):
                return work()

        async with view.lock:
            return await self.host.run(view.run.namespace, done())

    def _soon(self, kept: _Kept, view: View, run: Run) -> bool:
        """Whether a picture is too young to be drawn again. Its followers are notified once it is not."""
        left = kept.drawn + RATIO * kept.took - time.monotonic()
        if left <= 0.5 or run.final or run.generation != view.run.generation:
            return False
        topic = f"run:{run.namespace}/{run.name}"
        asyncio.get_running_loop().call_later(left, self._hub.tell, topic)
        return True

    async def _pods(self, caller: Caller, kept: _Kept, run: Run) -> tuple[Mapping[str, Pod], int, str]:
        if not await self._access.may(caller, SEE_PODS, run.namespace):
            words = f"you may not list pods in namespace {run.namespace}: what runs, and why a pod does not start, is shown as far as the run's status says it"
            return {}, 0, words
        if kept.followed is None:
            topic = f"run:{run.namespace}/{run.name}"
            kept.followed = RunPods(caller.client, run.namespace, run.uid, lambda: self._hub.tell(topic))
            kept.following = asyncio.create_task(kept.followed.run())
        followed = kept.followed
        try:
            async with asyncio.timeout(SYNC):
                await followed.synced.wait()
        except TimeoutError:
            return {}, 0, "the run's pods can't be read now"
        found = dict(followed.pods)
        if run.final:
            kept.end()
        return found, followed.count, ""

    def _tidy(self) -> None:
        now = time.monotonic()
        for (_, namespace, name), kept in self._kept.items():
            if kept.following and kept.seen < now - UNSEEN and not self._hub.followed(f"run:{namespace}/{name}"):
                kept.end()
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)[1].end()

    async def close(self) -> None:
        """Ends all watches."""
        following = [kept.following for kept in self._kept.values() if kept.following]
        for kept in self._kept.values():
            kept.end()
        await asyncio.gather(*following, return_exceptions=True)
