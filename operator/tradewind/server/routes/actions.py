"""What people do: start a run, act on one, decide an approval. Each is what the command line would do, with the caller's
rights, and can be previewed."""

import hashlib
import re
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from tradewind.control.dagrun.run import Run, read_run
from tradewind.control.dags.template_index import rendered
from tradewind.control.triggers.dag_index import invalid
from tradewind.kube.client import Object
from tradewind.kube.errors import AlreadyExists, Conflict
from tradewind.kube.resources import APPROVALS, DAGS, RUNS
from tradewind.look.actions import NotPossible, affected, change, command, lost, possible, start_command, tried_again
from tradewind.look.reading import of_kind
from tradewind.look.reading import status as status_of
from tradewind.look.run_body import run_body
from tradewind.look.run_rows import rows
from tradewind.look.whoami import signed, whoami
from tradewind.look.yaml_text import as_yaml
from tradewind.model.base import DNS_LABEL
from tradewind.model.value import Param
from tradewind.plan.documents.problem import Problem
from tradewind.plan.expressions.typed_values import resolve
from tradewind.plan.triggers.trigger import told
from tradewind.server.answers.actions import (
    ActionAnswer,
    ActionBody,
    DecisionAnswer,
    DecisionBody,
    FieldProblem,
    StartAnswer,
    StartBody,
)
from tradewind.server.answers.base import Preview
from tradewind.server.question import Question
from tradewind.server.route import Need, Route
from tradewind.server.web.problem import Refused

TRIES = 3
"""Attempts at a change of a run that others change too."""
SHOWN = 2_000
"""Tasks that a preview names."""
KEY = "Idempotency-Key"


async def act(question: Question) -> ActionAnswer:
    """Cancels, terminates, suspends, resumes, retries or deletes a run."""
    asked, preview = question.asked(ActionBody), question.asked(Preview).preview
    need = Need("delete" if asked.action == "delete" else "patch", RUNS)
    if not preview and not await question.service.access.may(question.caller, need, question.namespace):
        raise Refused(403, f"you may not {need} in namespace {question.namespace}")
    for attempt in range(TRIES):
        try:
            return await _act(question, asked, preview)
        except Conflict:
            if attempt == TRIES - 1:
                raise
    raise AssertionError


async def _act(question: Question, asked: ActionBody, preview: bool) -> ActionAnswer:
    view = await question.service.pictures.view(question.caller, question.namespace, question.name, fresh=True)
    run, state = view.run, view.state

    pictures = question.service.pictures
    try:
        possible(asked.action, run)
        if asked.action == "retry":
            again = tried_again(run, await pictures.compute(view, lambda: rows(state) if state else []))
            found = [f"{row.task}: {row.state}, tries again" for row in again]
        else:
            pairs = await pictures.compute(view, lambda: affected(asked.action, run, state))
            found = [f"{key}: {words}" for key, words in pairs]
    except NotPossible as error:
        raise Refused(409, str(error)) from None
    version = _version(asked.action, run, found)
    if asked.version and asked.version != version:
        raise Refused(409, f"dagrun/{run.name} has changed since the preview: look at it again")
    patch = {} if asked.action == "delete" else await change(question.client, asked.action, run, asked.reason)
    if not preview:
        await _write(question, asked.action, run, patch)
    more = [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return ActionAnswer(
        done=not preview,
        affected=[*found[:SHOWN], *more],
        lost=lost(asked.action, run, state),
        words=_words(asked.action, run),
        command=command(asked.action, run, asked.reason),
        yaml=as_yaml(patch) if patch else f"# DELETE dagrun/{run.name}\n",
        version=version,
    )


async def _write(question: Question, action: str, run: Run, patch: Object) -> None:
    if action == "delete":
        await question.client.delete(RUNS, run.namespace, run.name, uid=run.uid, propagationPolicy="Background")
        return
    meta = {**patch.get("metadata", {}), "resourceVersion": str(run.version)}
    await question.client.patch(RUNS, run.namespace, run.name, {**patch, "metadata": meta})


def _version(action: str, run: Run, found: list[str]) -> str:
    """Of what a person agrees to. Tasks that end meanwhile change nothing about stopping a run."""
    parts = [run.uid, run.desired, str(run.rounds), *(found if action == "retry" else ())]
    return hashlib.blake2b("\n".join(parts).encode(errors="replace"), digest_size=12).hexdigest()


def _words(action: str, run: Run) -> str:
    return {
        "cancel": f"{run.name} is cancelled: pods are deleted, and only teardowns and exit tasks still start",
        "terminate": f"{run.name} is terminated: pods are deleted, and nothing more starts",
        "suspend": f"{run.name} is suspended: no further task starts, and running tasks continue",
        "resume": f"{run.name} goes on",
        "retry": f"{run.name} tries again what failed, with new budgets; successful tasks are kept",
        "delete": f"{run.name} is deleted, with its pods and sub-DAG runs",
    }[action]


async def start(question: Question) -> StartAnswer:
    """Starts a run of a DAG."""
    asked, preview = question.asked(StartBody), question.asked(Preview).preview
    namespace, dag = question.namespace, question.name
    body = await question.client.get(DAGS, namespace, dag)
    if words := invalid(body):
        raise Refused(422, f"dag/{dag} is invalid, so a run of it would fail: {words}")
    declared = await _declared(question, body)
    _, wrong = resolve(declared, asked.params)
    problems = [_problem(item) for item in wrong]
    if problems and not preview:
        raise Refused(422, "; ".join(item.text for item in problems), f"params.{problems[0].field}")
    made = run_body(dag, asked.params, _name(question, asked))
    if asked.priority is not None:
        made["spec"]["priority"] = asked.priority
    date = _date(asked.logical_date)
    if date:
        made["spec"]["logicalDate"] = date
    made["metadata"]["annotations"] = await signed(question.client, asked.reason)
    suspended = of_kind(dict, body.get("spec")).get("suspend") is True
    name = "" if preview else await _create(question, made)
    more = {"--name": asked.name, "--logical-date": date, "-m": asked.reason}
    return StartAnswer(
        run=name or asked.name,
        command=start_command(namespace, dag, {name: _text(value) for name, value in asked.params.items()}, more),
        yaml=as_yaml(made),
        problems=problems,
        notes=[f"dag/{dag} is suspended: the run waits until it is resumed"] if suspended else [],
    )


async def _declared(question: Question, body: Object) -> Mapping[str, Param]:
    spec = of_kind(dict, body.get("spec"))
    if spec.get("template"):
        spec = of_kind(dict, (await rendered(question.client, question.namespace, question.name)).spec)
    return {name: Param.model_validate(item) for name, item in of_kind(dict, spec.get("params")).items()}


def _problem(problem: Problem) -> FieldProblem:
    path, _, _ = str(problem).partition(": ")
    name = path.removeprefix("spec.params.")
    return FieldProblem(field=name, text=f"{name}: {problem.what}; {problem.instead}")


def _name(question: Question, asked: StartBody) -> str:
    """The name that was asked for, or one that a second click gives again; empty for any."""
    if asked.name:
        if not re.fullmatch(DNS_LABEL, asked.name):
            raise Refused(422, "name: use at most 63 lower-case letters, digits and '-'", "name")
        return asked.name
    key = question.http.headers.get(KEY, "")
    suffix = hashlib.sha256(f"{question.caller.user}\n{key}".encode(errors="replace")).hexdigest()[:8]
    return f"{question.name[:54]}-{suffix}" if key else ""


async def _create(question: Question, made: Object) -> str:
    try:
        stored = await question.client.create(RUNS, question.namespace, made, fieldValidation="Strict")
        return read_run(orjson.loads(stored)).name
    except AlreadyExists:
        name = str(made["metadata"]["name"])
        found = read_run(await question.client.get(RUNS, question.namespace, name))
        if question.http.headers.get(KEY) and found.dag == question.name and not question.asked(StartBody).name:
            return name
        raise


def _date(millis: int | None) -> str:
    if millis is None:
        return ""
    try:
        return told(datetime.fromtimestamp(millis / 1000, UTC))
    except (ValueError, OverflowError, OSError):
        raise Refused(422, "logicalDate: write epoch milliseconds", "logicalDate") from None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


async def decide(question: Question) -> DecisionAnswer:
    """Approves or rejects."""
    asked, preview = question.asked(DecisionBody), question.asked(Preview).preview
    if not preview and not await question.service.access.may(
        question.caller, Need("patch", APPROVALS), question.namespace
    ):
        raise Refused(403, f"you may not patch approvals in namespace {question.namespace}")
    body = await question.client.get(APPROVALS, question.namespace, question.name)
    spec = of_kind(dict, body.get("spec"))
    outcome = str(status_of(body).get("outcome") or "Pending")
    if outcome != "Pending":
        by = f" by {spec['by']}" if spec.get("by") else ""
        raise Refused(409, f"too late: {spec.get('task')} of dagrun/{spec.get('run')} is {outcome}{by}")
    wanted: Object = {"decision": "Approved" if asked.approve else "Rejected", "comment": asked.reason}
    if asked.approve:
        questions = of_kind(dict, spec.get("questions"))
        declared = {name: Param.model_validate(item) for name, item in questions.items()}
        if wrong := resolve(declared, asked.inputs, "spec.answers", "asked are")[1]:
            words = "; ".join(f"{str(item).removeprefix('spec.answers.')}" for item in wrong)
            raise Refused(422, words, f"inputs.{str(wrong[0]).partition(':')[0].removeprefix('spec.answers.')}")
        wanted["answers"] = asked.inputs
    wanted = {name: value for name, value in wanted.items() if value} | {"by": await whoami(question.client)}
    if not preview:
        version = {"metadata": {"resourceVersion": str(body["metadata"]["resourceVersion"])}}
        await question.client.patch(APPROVALS, question.namespace, question.name, {**version, "spec": wanted})
    return DecisionAnswer(
        done=not preview,
        outcome=wanted["decision"],
        command=_decision(question.namespace, spec, asked),
        yaml=as_yaml({"spec": wanted}),
    )


def _decision(namespace: str, spec: Mapping[str, Any], asked: DecisionBody) -> str:
    words = ["tradewind", "approve" if asked.approve else "reject", str(spec.get("run")), str(spec.get("task"))]
    words += ["-n", namespace]
    if asked.reason:
        words += ["-m", asked.reason]
    if asked.approve:
        for name, value in asked.inputs.items():
            words += ["--answer", f"{name}={_text(value)}"]
    return shlex.join(words)


ROUTES = (
    Route(
        "POST",
        "runs/{namespace}/{name}/actions",
        "Act on a run; with ?preview, tell what would happen.",
        act,
        ActionAnswer,
        Preview,
        ActionBody,
        (Need("get", RUNS),),
    ),
    Route(
        "POST",
        "dags/{namespace}/{name}/runs",
        "Start a run; with ?preview, check it only.",
        start,
        StartAnswer,
        Preview,
        StartBody,
        (Need("get", DAGS), Need("create", RUNS)),
    ),
    Route(
        "POST",
        "approvals/{namespace}/{name}",
        "Decide an approval.",
        decide,
        DecisionAnswer,
        Preview,
        DecisionBody,
        (Need("get", APPROVALS),),
    ),
)
