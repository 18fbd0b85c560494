"""Approvals: asking for a decision, and waiting for it."""

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
"""Seconds after which an approval is looked at again, should an event have been missed."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
"""Seconds until a question is asked again that somebody has deleted twice, and again and again. One that was there for longer than the
longest pause was not deleted at once."""
MADE_LIMIT = 10_000
TRIES = 5
"""To close a question that somebody writes to at the same time."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and for which attempt. `timeout` is seconds."""

    start: Start
    message: str
    questions: Mapping[str, Param]
    timeout: float | None


@dataclass(frozen=True, slots=True)
class Decision:
    """`outcome` is Approved, Rejected or Expired; `outputs` is what the task hands on."""

    outcome: str
    outputs: dict[str, Any]


class _Deletions:
    """How often in a row a question was deleted soon after it was asked."""

    def __init__(self) -> None:
        self._uid, self._since, self._count = "", 0.0, 0

    def seen(self, uid: str) -> None:
        """It is there."""
        if uid != self._uid:
            self._uid, self._since = uid, asyncio.get_running_loop().time()

    def pause(self) -> float:
        """It is not there: seconds to wait before it is asked (again); none where that was done or need not be."""
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
        """By uid, the latest objects that this process made and that have no status yet: a decision may come before that."""

    def seen(self, body: Object) -> None:
        """An approval was created, changed or deleted."""
        meta = body["metadata"]
        for waiting in self._waiting.get((meta["namespace"], meta["name"]), ()):
            waiting.set()

    async def decide(
        self,
        run: RunFacts,
        question: Question,
        told: Callable[[str], None],
        pausing: Callable[[float], None] = lambda pause: None,
    ) -> Decision:
        """Asks, unless that has been done, and waits for the decision; `told` is told the object's name. A question that someone deletes
        is asked again, at once and then after ever longer pauses, of which `pausing` is told the seconds. Raises what the API raises."""
        changed, deletions = asyncio.Event(), _Deletions()
        keys = [(run.namespace, name) for name in both_names(run, question.start)]
        for key in keys:
            self._waiting[key].add(changed)
        try:
            while True:
                changed.clear()
                body = await self._asked_already(run, question)
                if body is None and (pause := deletions.pause()):
                    pausing(pause)
                    await asyncio.sleep(pause)
                    continue
                body = body or await self._ask(run, question)
                deletions.seen(body["metadata"]["uid"])
                told(body["metadata"]["name"])
                left = self._left(body, question.timeout)
                if decision := await self._settled(body, question, late=left is not None and left <= 0):
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
        """Closes a question that was asked and not decided: its task, or its run, was stopped. Raises what the API raises."""
        words = "no longer needed: the task was stopped"
        for name in both_names(run, question.start):
            for _ in range(TRIES):  # A write that was under way when the task was stopped may come in between.
                found = await self._own(run, question, name)
                pending = found and (found.get("status") or {}).get("outcome", "Pending") == "Pending"
                if found is None or not pending or await self._write(found, "Expired", words):
                    break

    async def _asked_already(self, run: RunFacts, question: Question) -> Object | None:
        """The object, if it is there. What was asked for a run of the same name that was deleted, or for an attempt whose name comes to
        the same, is none of it."""
        for name in both_names(run, question.start):
            if found := await self._own(run, question, name):
                return found
        return None

    async def _ask(self, run: RunFacts, question: Question) -> Object:
        """The object, which is made."""
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
                if len(self._made) > MADE_LIMIT:  # Somebody may delete each before it has a status.
                    del self._made[next(iter(self._made))]
                return made
            except AlreadyExists:
                if found := await self._own(run, question, name):
                    return found
        words = (
            f"there is an approval {names[0]} already, of another attempt, or not created by the operator: delete it"
        )
        raise AlreadyExists(409, "AlreadyExists", words)

    async def _own(self, run: RunFacts, question: Question, name: str) -> Object | None:
        """The object of this name, if it asks this question for this attempt and was asked before anybody decided. Its spec says the task,
        which can't be changed, and its name tells which attempt: labels are not needed."""
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
        """Seconds until it is too late, counted from when the operator asked: somebody else may have made the object before that."""
        if timeout is None:
            return None
        conditions = (body.get("status") or {}).get("conditions") or ()
        asked = [item["lastTransitionTime"] for item in conditions if item["type"] == READY]
        return timeout - between(asked[0], stamp(self._clock())) if asked else timeout

    async def _settled(self, body: Object, question: Question, late: bool) -> Decision | None:
        """The decision, if there is one, written down in the object's status."""
        spec, status = body["spec"], body.get("status") or {}
        answers, problems = resolve(question.questions, spec.get("answers") or {}, "spec.answers", "asked are")
        outcome = spec.get("decision") or ""
        message = ""
        if outcome == "Approved" and problems:
            outcome, message = "", summary(problems)[:1_024]
        if status.get("outcome") == "Expired" or (not outcome and late):
            outcome = "Expired"
        said = (status.get("outcome"), status.get("message", ""), status.get("observedGeneration"))
        wanted = (outcome or "Pending", message)
        if said != (*wanted, body["metadata"].get("generation")) and not await self._write(body, *wanted):
            self.seen(body)  # It has changed meanwhile: look again.
            return None
        if not outcome:
            return None
        who = {"by": spec.get("by", ""), "comment": spec.get("comment", ""), "answers": answers}
        return Decision(outcome, {"approved": outcome == "Approved", **who})

    async def _write(self, body: Object, outcome: str, message: str) -> bool:
        """Writes the status, unless the object has changed; whether it did."""
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
    """What the operator asks at this moment."""
    spec = {
        "run": run.name,
        "task": question.start.key,
        "message": question.message,
        "questions": {name: param.model_dump(exclude_defaults=True) for name, param in question.questions.items()},
        "deadline": "" if question.timeout is None else stamp(now + question.timeout),
    }
    return {field: value for field, value in spec.items() if value}


def _seen_pending(body: Object) -> bool:
    """Whether the operator has looked at it before a decision was there. Only the operator writes statuses, none comes with an object that
    is created, and what had a decision at the first look is Invalid. Generations prove nothing: a deletion raises them too."""
    return bool((body.get("status") or {}).get("observedGeneration"))


def _forged(body: Object, run: RunFacts, question: Question) -> str:
    """What is wrong with an Approval that bears the right name, whenever it is looked at; empty when nothing is."""
    spec, status = body["spec"], body.get("status") or {}
    if status.get("outcome") == "Invalid":
        return str(status.get("message"))
    if body["metadata"].get("deletionTimestamp"):
        return "it is being deleted: its decision doesn't count"
    if (spec.get("run"), spec.get("message") or "") != (run.name, question.message):
        return "its question differs from the run's: the operator didn't create it, and its decision doesn't count"
    return ""


def _not_ours(spec: Mapping[str, Any], question: Question, now: float) -> str:
    """What is wrong with an Approval that the operator looks at for the first time; empty where the operator may have asked it just before
    a restart."""
    if spec.get("decision") or spec.get("answers"):
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
