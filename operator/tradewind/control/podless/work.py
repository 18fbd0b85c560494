"""The work of tasks without a pod: a request, a wait, an approval, a computation, or a run of another DAG."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from tradewind.control.dags.call_params import call_params
from tradewind.control.egress.client import Failed, HttpClient, Request
from tradewind.control.egress.header_variables import MissingReferenceError, read, texts, wanted
from tradewind.control.podless.approvals import Approvals, Question
from tradewind.control.podless.sub_dags import Call, Say, SubDAGs
from tradewind.control.pods.names import both_names
from tradewind.control.pods.rendering import Renderer, Unrenderable
from tradewind.kube.client import Client
from tradewind.model.bounded import OutOfBounds
from tradewind.model.dag_name import home
from tradewind.model.duration import instant, seconds, stamp
from tradewind.model.duration import text as in_words
from tradewind.model.podless import HttpRequest, SubDAG, Wait
from tradewind.model.task import Task
from tradewind.plan.cel.compiler import ExpressionError
from tradewind.plan.runs.decision import Start
from tradewind.plan.runs.planner import Planner
from tradewind.tasks.expansion import expand

LONGEST_MESSAGE = 32_768
"""Characters of a question; the object allows no more."""
BUSY = "RequestsBusy"
"""Reason for a waiting attempt: all places for requests, or those of its namespace, are taken."""
ASKED = "Approval"
"""Reason for a waiting attempt: its question waits for an answer."""
DELETED = "ApprovalDeleted"
"""Reason for a waiting attempt: its question was deleted several times, soon after it was asked."""
Outputs = dict[str, Any]


class WorkFailedError(Exception):
    """The attempt failed; `reason` is one CamelCase word."""

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class Report(Protocol):
    """Receives what an attempt waits for, and the reason in one word if it is not the usual one."""

    def __call__(self, words: str, reason: str = "") -> None:
        """Reports it."""


async def _nothing(_: Say) -> Outputs:
    return {}


@dataclass(frozen=True, slots=True)
class Work:
    """The work of an attempt. `reason` and `message` say what it waits for."""

    begin: Callable[[Report], Awaitable[Outputs]] = _nothing
    """Performs the work, with a function that reports what it waits for. Raises WorkFailedError, and errors of the API, after which it may
    be called again."""
    reason: str = ""
    message: str = ""
    queue: str = ""
    """The reason while the work reports a message of its own, if it differs from `reason`."""
    outputs: Outputs = field(default_factory=dict)
    """The outputs of a computation, which is complete already."""
    withdraw: Callable[[], Awaitable[None]] | None = None
    """Called if the work is stopped before its end."""
    until: float | None = None
    """When (epoch seconds) a wait is over: it needs nothing but a clock."""


class Worker:
    """Prepares and performs work."""

    def __init__(
        self,
        client: Client,
        sender: HttpClient,
        approvals: Approvals,
        subdags: SubDAGs,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client, self._sender, self._approvals, self._clock = client, sender, approvals, clock
        self._subdags = subdags

    def work(self, planner: Planner, start: Start, task: Task, since: int, renderer: Renderer) -> Work:
        """The work of an attempt whose time counts from `since` (epoch seconds). Raises Unrenderable."""
        if task.wait:
            until = _until(task.wait, renderer, since)
            return Work(reason="Wait", message=f"waits until {stamp(until)}", until=until)
        if task.approval:
            return self._approval(planner, start, task, renderer)
        if task.http:
            request = partial(
                self._request, planner, task, _rendered(task.http, renderer), texts(planner, task, renderer)
            )
            return Work(request, queue=BUSY)
        if task.dag:
            return self._subdag(planner, start, task.dag, renderer)
        return Work(outputs=_computed(planner, start, task))

    async def close(self) -> None:
        """Closes all connections."""
        await self._sender.close()

    def _approval(self, planner: Planner, start: Start, task: Task, renderer: Renderer) -> Work:
        approval = task.approval
        assert approval is not None  # noqa: S101 - the caller checked
        question = Question(
            start,
            renderer.plain("approval.message", approval.message)[:LONGEST_MESSAGE],
            approval.questions,
            seconds(approval.timeout) if approval.timeout else None,
        )

        first = both_names(planner.ledger.run, start)[0]

        def words(name: str) -> str:
            return f"waits for approval {name}: `tradewind approve {planner.ledger.run.name} {start.key}`, or reject"

        async def ask(say: Report) -> Outputs:
            def pausing(pause: float) -> None:
                again = f"someone keeps deleting approval {first}: it is created again after {in_words(pause)}"
                say(again, DELETED)

            run = planner.ledger.run
            decision = await self._approvals.decide(run, question, lambda name: say(words(name)), pausing)
            who = f" by {decision.outputs['by']}" if decision.outputs["by"] else ""
            why = f": {decision.outputs['comment']}" if decision.outputs["comment"] else ""
            if decision.outcome == "Rejected" and approval.on_reject == "Fail":
                raise WorkFailedError("Declined", f"declined{who}{why}")
            if decision.outcome == "Expired" and approval.on_timeout == "Fail":
                raise WorkFailedError("ApprovalTimeout", f"not decided within {approval.timeout}")
            return decision.outputs

        withdraw = partial(self._approvals.withdraw, planner.ledger.run, question)
        return Work(ask, ASKED, words(first), withdraw=withdraw)

    def _subdag(self, planner: Planner, start: Start, dag: SubDAG, renderer: Renderer) -> Work:
        ended = planner.ledger.units[start.key].ended
        call = Call(
            start,
            dag.within(home(planner.ledger.run.dag)),
            call_params(planner, dag, renderer),
            ended[-1].number if ended and not ended[-1].succeeded else 0,
            _logical_date(dag, renderer),
        )

        async def run(say: Say) -> Outputs:
            outcome = await self._subdags.execute(planner.ledger.run, call, say)
            if outcome.reason:
                raise WorkFailedError(outcome.reason, outcome.message)
            return outcome.outputs

        return Work(run, "SubDAG", f"makes a run of {dag}")

    async def _request(
        self, planner: Planner, task: Task, request: Request, texts: Mapping[str, str], say: Say
    ) -> Outputs:
        variables = dict(texts)
        if any("$(" in text for text in request.headers.values()):
            try:
                variables |= await read(self._client, planner.ledger.run.namespace, wanted(planner, task))
            except MissingReferenceError as error:
                raise WorkFailedError("ConfigError", str(error)) from None

        headers = {name: expand(text, variables) for name, text in request.headers.items()}
        try:
            return await self._sender.send(request, headers, planner.ledger.run.namespace, say)
        except Failed as error:
            raise WorkFailedError("HttpError", str(error)) from None
        except OutOfBounds as error:
            raise WorkFailedError("OutputInvalid", f"{request.what}: {error}") from None


def _computed(planner: Planner, start: Start, task: Task) -> Outputs:
    """The outputs of a computation. Raises Unrenderable."""
    evaluate = planner.ledger.evaluator(start.key, start.number)
    found = {}
    for name, expression in task.compute.items():
        try:
            found[name] = evaluate(expression)
        except ExpressionError as error:
            raise Unrenderable(f"spec.tasks.{start.task}.compute.{name}: {error}") from None
    return found


def _logical_date(dag: SubDAG, renderer: Renderer) -> str:
    """The logical date of the run that a task makes; empty for the dates of its caller. Raises Unrenderable."""
    text = renderer.plain("dag.logicalDate", dag.logical_date)
    if dag.logical_date:
        try:
            instant(text)
        except ValueError as error:
            raise Unrenderable(f"dag.logicalDate: {error}") from None
    return text


def _until(wait: Wait, renderer: Renderer, since: int) -> float:
    """When (epoch seconds) a wait is over. Raises Unrenderable."""
    field_ = "duration" if wait.duration else "until"
    text = renderer.plain(f"wait.{field_}", wait.duration or wait.until)
    try:
        return since + seconds(text) if wait.duration else instant(text)
    except ValueError as error:
        raise Unrenderable(f"wait.{field_}: {error}") from None


def _rendered(request: HttpRequest, renderer: Renderer) -> Request:
    """The rendered request, still with `$(NAME)` in its headers. Raises Unrenderable."""
    return Request(
        url=renderer.plain("http.url", request.url),
        method=request.method,
        headers={name: renderer.expandable(f"http.headers.{name}", text) for name, text in request.headers.items()},
        body=renderer.plain("http.body", request.body),
        expect_status=request.expect_status,
        timeout=seconds(request.timeout),
    )
