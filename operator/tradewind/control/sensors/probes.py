"""Probes of sensors: each asks once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from tradewind.control.dagrun.task_states import TaskStates
from tradewind.control.egress.client import LIMIT, Failed, HttpClient, Request, content, server
from tradewind.control.egress.header_variables import MissingReferenceError, Wanted, read
from tradewind.control.egress.policy import EgressPolicy
from tradewind.control.pods.rendering import Renderer
from tradewind.control.sensors.bucket_probe import BucketProbe, ProbeFailedError
from tradewind.control.sensors.cluster_probes import LatestRuns, ObjectProbe, Resources, RunProbe, refusal
from tradewind.control.sensors.sql_probe import Login, SqlProbe
from tradewind.kube.client import Client
from tradewind.kube.errors import ApiError
from tradewind.kube.resources import SECRETS
from tradewind.model.duration import seconds
from tradewind.model.sensor import BucketPoll, HttpPoll, Sensor, SqlPoll, TaskSensor
from tradewind.tasks.expansion import expand

Found = Mapping[str, Any]
"""The result of a poll, by the dotted names of plan.sensors.sensor.ANSWERS."""
BUSY = frozenset({429, *range(500, 600)})
"""Status codes of servers that should be polled less often."""


NO_REQUESTS = "the operator sends no requests itself (http.inPods), and a sensor has no pod"


class Probe(Protocol):
    """A probe. `host` is the server that it asks, `what` describes the question."""

    host: str
    what: str

    async def ask(self) -> Found:
        """Asks once. Raises ProbeFailedError, and OutOfBounds for a result that can't be an output."""

    def outputs(self, found: Found) -> dict[str, Any]:
        """The outputs of a task for this result."""


@dataclass(frozen=True, slots=True)
class Asking:
    """The namespace on whose behalf a probe asks. `texts` and `wanted` are the values of `$(NAME)` in headers."""

    namespace: str
    texts: Mapping[str, str]
    wanted: Sequence[Wanted]


class Probes:
    """Makes probes."""

    def __init__(self, client: Client, sender: HttpClient, egress: EgressPolicy, states: TaskStates) -> None:
        self._client, self._sender, self._egress, self._states = client, sender, egress, states
        self._resources, self._runs = Resources(client), LatestRuns(client)

    def server(self, url: str, namespace: str) -> str:
        """The host and port of a URL, independent of its spelling."""
        return server(url, namespace, self._egress)

    def probe(self, sensor: Sensor, asking: Asking, renderer: Renderer) -> Probe:
        """The probe of a sensor. Raises Unrenderable."""
        if sensor.bucket:
            return self.bucket(sensor.bucket, asking, renderer)
        if sensor.sql:
            # A task's result becomes part of its run's status.
            return self._sql(sensor.sql, asking, renderer, *([LIMIT] if isinstance(sensor, TaskSensor) else []))
        if isinstance(sensor, TaskSensor) and sensor.run:
            date = renderer.plain("sensor.run.logicalDate", sensor.run.logical_date)
            return RunProbe(self._runs, asking.namespace, sensor.run, date, self._states)
        if isinstance(sensor, TaskSensor) and sensor.object:
            name = renderer.plain("sensor.object.name", sensor.object.name)
            return ObjectProbe(self._client, self._resources, asking.namespace, sensor.object, name)
        assert sensor.http is not None  # noqa: S101 - it has been validated
        return self._http(sensor.http, asking, renderer)

    def bucket(self, poll: BucketPoll, asking: Asking, renderer: Renderer) -> BucketProbe:
        """The probe of a bucket. Raises Unrenderable."""
        prefix = renderer.plain("sensor.bucket.prefix", poll.prefix)
        key = renderer.plain("sensor.bucket.key", poll.key)
        probe = BucketProbe(
            self._sender, poll, asking.namespace, prefix, key, partial(self._keys, poll, asking.namespace)
        )
        probe.host = self.server(poll.endpoint, asking.namespace)
        return probe

    async def _keys(self, poll: BucketPoll, namespace: str) -> tuple[str, str]:
        names = ("accessKey", "secretKey")
        wanted = [(name, SECRETS, poll.secret_name, name, False) for name in names]
        if not self._egress.requests:
            raise ProbeFailedError(NO_REQUESTS)
        found = await secrets(self._client, self._egress, namespace, wanted)
        return found[names[0]], found[names[1]]

    def _sql(self, poll: SqlPoll, asking: Asking, renderer: Renderer, *limit: int) -> Probe:
        given = enumerate(poll.parameters)
        parameters = [renderer.tree(f"sensor.sql.parameters[{number}]", text) for number, text in given]
        probe = SqlProbe(
            self._egress,
            self._sender.lookups,
            poll,
            asking.namespace,
            parameters,
            partial(self._login, poll, asking.namespace),
            *limit,
        )
        probe.host = self.server(sql_url(poll), asking.namespace)
        return probe

    async def _login(self, poll: SqlPoll, namespace: str) -> Login:
        if not self._egress.requests:
            raise ProbeFailedError(NO_REQUESTS)
        names = {"password": False, "ca": True, **({} if poll.user else {"username": False})}
        wanted = [(name, SECRETS, poll.secret_name, name, optional) for name, optional in names.items()]
        found = await secrets(self._client, self._egress, namespace, wanted)
        return Login(poll.user or found["username"], found["password"], found.get("ca", ""))

    def _http(self, poll: HttpPoll, asking: Asking, renderer: Renderer) -> Probe:
        request = Request(
            url=renderer.plain("sensor.http.url", poll.url),
            method=poll.method,
            headers={
                name: renderer.expandable(f"sensor.http.headers.{name}", text) for name, text in poll.headers.items()
            },
            body=renderer.plain("sensor.http.body", poll.body),
            expect_status=(),
            timeout=seconds(poll.timeout),
        )
        return HttpProbe(self._client, self._sender, self._egress, request, asking)


class HttpProbe:
    """Sends a request."""

    def __init__(
        self, client: Client, sender: HttpClient, egress: EgressPolicy, request: Request, asking: Asking
    ) -> None:
        self._client, self._sender, self._egress = client, sender, egress
        self._request, self._asking = request, asking
        self.host = server(request.url, asking.namespace, egress)
        self.what = request.what

    async def ask(self) -> Found:
        """Status and body, whatever they are. Raises ProbeFailedError and OutOfBounds."""
        if not self._egress.requests:
            raise ProbeFailedError(NO_REQUESTS)
        variables = dict(self._asking.texts)
        if any("$(" in text for text in self._request.headers.values()):
            variables |= await secrets(self._client, self._egress, self._asking.namespace, self._asking.wanted)
        headers = {name: expand(text, variables) for name, text in self._request.headers.items()}
        try:
            answer = await self._sender.answer(self._request, headers, self._asking.namespace)
        except Failed as error:
            raise ProbeFailedError(str(error)) from None
        if len(answer.body) > LIMIT:
            raise ProbeFailedError(f"{self.what}: the response has more than {LIMIT // 1024} KiB: ask for less")
        return content(answer)

    def outputs(self, found: Found) -> dict[str, Any]:
        """Status and body."""
        return dict(found)


def sql_url(poll: SqlPoll) -> str:
    """The address of a database as a URL."""
    return f"postgresql://{f'[{poll.host}]' if ':' in poll.host else poll.host}:{poll.port}"


async def secrets(client: Client, egress: EgressPolicy, namespace: str, wanted: Sequence[Wanted]) -> dict[str, str]:
    """Values from Secrets and ConfigMaps. Raises ProbeFailedError."""
    if not wanted:
        return {}
    if not egress.reads(namespace):
        raise ProbeFailedError(
            "the operator may not read Secrets and ConfigMaps: install it with http.readSecrets=true"
        )
    try:
        return await read(client, namespace, wanted)
    except MissingReferenceError as error:
        raise ProbeFailedError(str(error)) from None
    except UnicodeDecodeError:
        raise ProbeFailedError(
            f"a value in {', '.join(sorted({name for _, _, name, _, _ in wanted}))} is not text"
        ) from None
    except ApiError as error:
        raise ProbeFailedError(refusal(error, wanted[0][1], "get")) from None
