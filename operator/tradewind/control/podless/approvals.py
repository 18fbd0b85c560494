"""Approvals: asks for decisions and waits for them."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from tradewind import API_VERSION
from tradewind.control.pods.labels import labels, owner
from tradewind.control.pods.names import both_names
from tradewind.control.shared.conditions import READY, readiness
from tradewind.kube.client import Client, Object
from tradewind.kube.errors import AlreadyExists, Conflict, Invalid, NotFound
from tradewind.kube.resources import APPROVALS
from tradewind.model.duration import between, stamp
from tradewind.model.value import Param
from tradewind.plan.documents.problem import summary
from tradewind.plan.expressions.typed_values import resolve
from tradewind.plan.runs.decision import RunFacts, Start

APPROVAL_RESYNC_SECONDS = 600.0
"""Seconds after which an approval is read again, in case an event was missed."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
"""Seconds until a question that was deleted twice or more in a row is asked again; the pause grows with each deletion. A question that
existed for longer than the longest pause starts a new row."""
MADE_LIMIT = 10_000
TRIES = 5
"""Attempts to close a question that someone else writes to at the same time."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question and the attempt that asks it. `timeout` is in seconds."""

    start: Start
    message: str
    questions: Mapping[str, Param]
    timeout: float | None


@dataclass(frozen=True, slots=True)
class Decision:
    """`outcome` is Approved, Rejected or Expired; `outputs` are the outputs of the task."""

    outcome: str
    outputs: dict[str, Any]


class _Deletions:
    """Counts how often in a row a question was deleted soon after it was asked."""

    def __init__(self) -> None:
        self._uid, self._since, self._count = "", 0.0, 0

    def seen(self, uid: str) -> None:
        """Notes that the question exists."""
        if uid != self._uid:
            self._uid, self._since = uid, asyncio.get_running_loop().time()

    def pause(self) -> float:
        """Notes that the question is missing. Returns the seconds to wait before it is asked again, 0 for at once."""
        if not self._uid:
            return 0.0
        self._uid = ""
        soon = asyncio.get_running_loop().time() - self._since <= LONGEST_PAUSE
        self._count = self._count + 1 if soon else 1
        return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._count - 2, 16)) if self._count > 1 else 0.0


class Approvals:
    """The approvals that runs wait for."""

    def __init__(self, client: Client, clock: Callable[[], float] = time.time) -> None:
        self._client, self._clock = client, clock
        self._waiting: defaultdict[tuple[str, str], set[asyncio.Event]] = defaultdict(set)
        self._made: dict[str, None] = {}
        """By uid: the latest objects made by this process that have no status yet. A decision may arrive before the status."""

    def seen(self, body: Object) -> None:
        """An approval was created, changed or deleted."""
        meta = body["metadata"]
        for waiting in self._waiting.get((meta["namespace"], meta["name"]), ()):
            waiting.set()

    async def decide(
        self,
        run: RunFacts,
        question: Question,
        asked: Callable[[str], None],
        pausing: Callable[[float], None] = lambda pause: None,
    ) -> Decision:
        """Asks, unless that was done before, and waits for the decision. `asked` receives the object's name. A deleted question is asked
        again, first at once, then after growing pauses, whose seconds `pausing` receives. Raises errors of the API."""
        changed, deletions = asyncio.Event(), _Deletions()
        keys = [(run.namespace, name) for name in both_names(run, question.start)]
        for key in keys:
            self._waiting[key].add(changed)
        try:
            while True:
                changed.clear()
                body = await self._find_asked(run, question)
                if body is None and (pause := deletions.pause()):
                    pausing(pause)
                    await asyncio.sleep(pause)
                    continue
                body = body or await self._ask(run, question)
                deletions.seen(body["metadata"]["uid"])
                asked(body["metadata"]["name"])
                left = self._left(body, question.timeout)
                if decision := await self._settle(body, question, late=left is not None and left <= 0):
                    return decision
                try:
                    async with asyncio.timeout(
                        APPROVAL_RESYNC_SECONDS if left is None else min(APPROVAL_RESYNC_SECONDS, max(0.05, left))
                    ):
                        await changed.wait()
                except TimeoutError:
                    continue
        finally:
            for key in keys:
                self._waiting[key].discard(changed)
                if not self._waiting[key]:
                    del self._waiting[key]

    async def withdraw(self, run: RunFacts, question: Question) -> None:
        """Closes an undecided question whose task or run was stopped. Raises errors of the API."""
        words = "no longer needed: the task was stopped"
        for name in both_names(run, question.start):
            for _ in range(TRIES):  # A write that was in flight when the task was stopped may come in between.
                found = await self._find_own(run, question, name)
                pending = found and (found.get("status") or {}).get("outcome", "Pending") == "Pending"
                if found is None or not pending or await self._write(found, "Expired", words):
                    break

    async def _find_asked(self, run: RunFacts, question: Question) -> Object | None:
        """The existing object. An object of a deleted run of the same name, or of an attempt with an ambiguous name, does not count."""
        for name in both_names(run, question.start):
            if found := await self._find_own(run, question, name):
                return found
        return None

    async def _ask(self, run: RunFacts, question: Question) -> Object:
        """Creates the object."""
        start, names = question.start, both_names(run, question.start)
        spec = _spec(run, question, self._clock())
        for name in names:
            body = {
                "apiVersion": API_VERSION,
                "kind": "Approval",
                "metadata": {"name": name, "labels": labels(run, start), "ownerReferences": [owner(run)]},
                "spec": spec,
            }
            try:
                made: Object = orjson.loads(await self._client.create(APPROVALS, run.namespace, body))
                self._made[made["metadata"]["uid"]] = None
                if len(self._made) > MADE_LIMIT:  # Some may be deleted before they get a status.
                    del self._made[next(iter(self._made))]
                return made
            except AlreadyExists:
                if found := await self._find_own(run, question, name):
                    return found
        words = (
            f"there is an approval {names[0]} already, of another attempt, or not created by the operator: delete it"
        )
        raise AlreadyExists(409, "AlreadyExists", words)

    async def _find_own(self, run: RunFacts, question: Question, name: str) -> Object | None:
        """The object of this name, if it asks this question for this attempt and nobody decided before the operator saw it; otherwise it is
        marked as Invalid. The immutable task in its spec and its name identify the attempt, so labels are not needed."""
        try:
            found = await self._client.get(APPROVALS, run.namespace, name)
        except NotFound:
            return None
        owners = found["metadata"].get("ownerReferences") or ()
        task = found["spec"].get("task")
        if not any(item.get("uid") == run.uid for item in owners) or task != question.start.key:
            return None
        wrong = _forged(found, run, question)
        if not wrong and not _seen_pending(found) and found["metadata"]["uid"] not in self._made:
            wrong = _not_ours(found["spec"], question, self._clock())
        if not wrong:
            return found
        if (found.get("status") or {}).get("outcome", "Pending") == "Pending":
            await self._write(found, "Invalid", wrong)
        return None

    def _left(self, body: Object, timeout: float | None) -> float | None:
        """Seconds until the deadline, counted from when the operator asked, even if someone else made the object earlier."""
        if timeout is None:
            return None
        conditions = (body.get("status") or {}).get("conditions") or ()
        asked = [item["lastTransitionTime"] for item in conditions if item["type"] == READY]
        return timeout - between(asked[0], stamp(self._clock())) if asked else timeout

    async def _settle(self, body: Object, question: Question, late: bool) -> Decision | None:
        """Records the decision, if there is one, in the object's status and returns it."""
        spec, status = body["spec"], body.get("status") or {}
        answers, problems = resolve(question.questions, spec.get("answers") or {}, "spec.answers", "asked are")
        outcome = spec.get("decision") or ""
        message = ""
        if outcome == "Approved" and problems:
            outcome, message = "", summary(problems)[:1_024]
        if status.get("outcome") == "Expired" or (not outcome and late):
            outcome = "Expired"
        stored = (status.get("outcome"), status.get("message", ""), status.get("observedGeneration"))
        wanted = (outcome or "Pending", message)
        if stored != (*wanted, body["metadata"].get("generation")) and not await self._write(body, *wanted):
            self.seen(body)  # It has changed meanwhile: check again.
            return None
        if not outcome:
            return None
        if outcome == "Expired":  # Nobody has decided: whatever is written beside the missing decision has no author.
            spec, answers = {}, resolve(question.questions, {})[0]
        who = {"by": spec.get("by", ""), "comment": spec.get("comment", ""), "answers": answers}
        return Decision(outcome, {"approved": outcome == "Approved", **who})

    async def _write(self, body: Object, outcome: str, message: str) -> bool:
        """Writes the status, unless the object has changed. Returns whether it did."""
        meta = body["metadata"]
        generation = int(meta.get("generation") or 0)
        ready = readiness(outcome, outcome, message, body.get("status") or {}, generation, self._clock())
        status = {"outcome": outcome, "message": message, "observedGeneration": generation, "conditions": ready}
        patch = {"metadata": {"resourceVersion": meta["resourceVersion"]}, "status": status}
        try:
            await self._client.patch(APPROVALS, meta["namespace"], meta["name"], patch, "status")
        except (Conflict, Invalid, NotFound):
            return False
        self._made.pop(meta["uid"], None)
        return True


def _spec(run: RunFacts, question: Question, now: float) -> dict[str, Any]:
    """The spec of the question, asked now."""
    spec = {
        "run": run.name,
        "task": question.start.key,
        "message": question.message,
        "questions": {name: param.model_dump(exclude_defaults=True) for name, param in question.questions.items()},
        "deadline": "" if question.timeout is None else stamp(now + question.timeout),
    }
    return {field: value for field, value in spec.items() if value}


def _seen_pending(body: Object) -> bool:
    """Whether the operator saw the object before there was a decision. Only the operator writes statuses, a created object has none, and an
    object that is first seen with a decision becomes Invalid. Generations prove nothing: a deletion raises them too."""
    return bool((body.get("status") or {}).get("observedGeneration"))


def _forged(body: Object, run: RunFacts, question: Question) -> str:
    """What is wrong with an Approval of the right name; empty if nothing is. This holds at any time."""
    spec, status = body["spec"], body.get("status") or {}
    if status.get("outcome") == "Invalid":
        return str(status.get("message"))
    if body["metadata"].get("deletionTimestamp"):
        return "it is being deleted: its decision doesn't count"
    if (spec.get("run"), spec.get("message") or "") != (run.name, question.message):
        return "its question differs from the run's: the operator didn't create it, and its decision doesn't count"
    return ""


def _not_ours(spec: Mapping[str, Any], question: Question, now: float) -> str:
    """What is wrong with an Approval that the operator sees for the first time; empty if the operator may have created it just before a
    restart."""
    if any(spec.get(name) for name in ("decision", "answers", "comment", "by")):
        return "it had a decision before the operator saw it: only a change of a pending Approval counts"
    try:
        same = {name: Param.model_validate(body) for name, body in (spec.get("questions") or {}).items()}
        deadline = datetime.fromisoformat(spec["deadline"]).timestamp() if spec.get("deadline") else None
    except ValueError:
        same, deadline = {}, None
    last = None if question.timeout is None else now + question.timeout
    in_time = deadline is None if last is None else deadline is not None and deadline <= last
    if same != dict(question.questions) or not in_time:
        return "its question differs from the run's: the operator didn't create it, and its decision doesn't count"
    return ""
