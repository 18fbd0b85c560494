"""The operator, the API server and the attacker's web server, each in its own process; the effects of inputs on others;
the oracles."""

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from tradewind.cli.dev import kubeconfig

from .inputs import Body, Input
from .oracles import LIMITS, MEMORY, WHOLE, Machine, Outcome, Violation, exceptions, free_port, memory
from .place import BYSTANDER, HOME, JEWEL, MALLORY, TOKEN
from .plants import VARIABLE

SETTLE = 10.0
"""Seconds until active runs of the inputs are terminated."""
LEAST = 3.0
"""Minimum seconds for the inputs: triggers create runs later."""
BEARER = "secret-of-the-bystander"
FRAMED = re.compile(
    r"^(host: elsewhere|te: trailers|trailer: x|upgrade: h2c|keep-alive: x|proxy-connection: x)", re.I | re.M
)
"""Headers of the inputs that only the sender of a request may set."""
FINAL = {"Succeeded", "Failed", "Cancelled"}
PLURALS = {"DAG": "dags", "DAGRun": "dagruns", "Trigger": "triggers", "Backfill": "backfills", "Approval": "approvals", "Pool": "pools", "TaskTemplate": "tasktemplates", "DAGTemplate": "dagtemplates", "Pod": "pods"}  # fmt: skip
TESTS = Path(__file__).parent.parent


class Arena:
    """The environment of the inputs."""

    def __init__(self, folder: Path, plant: str = "") -> None:
        self._folder, self._plant = folder, plant
        self._processes: list[subprocess.Popen[bytes]] = []
        self.operator: subprocess.Popen[bytes] | None = None
        self._probes, self._read = "", 0
        self.machine = Machine()
        self._http: aiohttp.ClientSession
        self.api = self.control = self.web = self.web_control = ""

    async def __aenter__(self) -> "Arena":
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
        place, web = self._start("hostile.place"), self._start("hostile.web")
        told = json.loads(await asyncio.to_thread(place.stdout.readline))  # type: ignore[union-attr]
        self.api, self.control = told["api"], told["control"]
        told = json.loads(await asyncio.to_thread(web.stdout.readline))  # type: ignore[union-attr]
        self.web, self.web_control = told["web"], told["control"]
        (self._folder / "kubeconfig").write_text(yaml.safe_dump(kubeconfig(self.api, TOKEN)))
        await self._furnish()
        await self.restart()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()
        for process in [*self._processes, *([self.operator] if self.operator else [])]:
            process.kill()
            process.wait()

    def _start(self, module: str, *arguments: str, **more: Any) -> "subprocess.Popen[bytes]":
        env = {**os.environ, "PYTHONPATH": str(TESTS), VARIABLE: self._plant}
        with (self._folder / f"{module}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env=env,
                **({"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log} | more),
            )
        if not more:
            self._processes.append(process)
        return process

    async def restart(self) -> None:
        """Starts another operator."""
        if self.operator:
            self.operator.kill()
            self.operator.wait()
        port = free_port()
        log = self._log.open("ab")
        flags = [
            "operator",
            "--kubeconfig",
            str(self._folder / "kubeconfig"),
            "--metrics-port",
            str(port),
            "--lease-namespace",
            HOME,
        ]
        flags += [
            "--http-allow",
            "127.0.0.0/8",
            "--read-secrets",
            "--identity",
            f"operator-{port}",
            "--log-level",
            "warning",
        ]
        with log:
            self.operator = self._start("hostile.operator", *flags, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._probes = f"http://127.0.0.1:{port}"
        lease = f"{self.api}/apis/coordination.k8s.io/v1/namespaces/{HOME}/leases/tradewind-operator"
        async with self._http.delete(lease, headers=_AUTH):
            pass
        async with asyncio.timeout(60):
            while self.operator.poll() is None and not await self._ready():
                await asyncio.sleep(0.1)

    @property
    def _log(self) -> Path:
        return self._folder / "operator.log"

    async def _ready(self) -> bool:
        with contextlib.suppress(aiohttp.ClientError):
            async with self._http.get(f"{self._probes}/readyz") as answer:
                return "stand-by" not in await answer.text() and answer.status == 200
        return False

    async def _furnish(self) -> None:
        """The DAGs of the bystander: one that counts, one that sends a request with a secret, one that waits for an
        answer."""
        headers = {"Authorization": f"Bearer {BEARER}"}
        poll = {"http": {"url": f"http://{self.web}/fast?b"}, "interval": "1s", "until": "status == 200"}
        for name, task in {
            "b-compute": {"compute": {"n": "1 + 1"}},
            "b-http": {"http": {"url": f"http://{self.web}/fast", "headers": headers, "timeout": "5s"}},
            "b-sensor": {"sensor": poll},
        }.items():
            body = {
                "apiVersion": "tradewind.dev/v1alpha1",
                "kind": "DAG",
                "metadata": {"name": name},
                "spec": {"timeout": "60s", "history": {"succeeded": {"limit": 3}}, "tasks": {"t": task}},
            }
            code, told = await self._post("dags", BYSTANDER, json.dumps(body).encode())
            assert code == 201, told

    async def _post(self, plural: str, namespace: str, data: bytes) -> tuple[int, str]:
        base = "/api/v1" if plural == "pods" else "/apis/tradewind.dev/v1alpha1"
        async with self._http.post(
            f"{self.api}{base}/namespaces/{namespace}/{plural}", data=data, headers=_AUTH
        ) as answer:
            return answer.status, await answer.text()

    async def _listed(self, plural: str, namespace: str = MALLORY) -> tuple[list[Body], str]:
        async with self._http.get(
            f"{self.api}/apis/tradewind.dev/v1alpha1/namespaces/{namespace}/{plural}", headers=_AUTH
        ) as answer:
            text = await answer.text()
            try:
                return json.loads(text)["items"], text
            except RecursionError:
                return [], text

    async def play(self, inputs: Sequence[Input], settle: float = SETTLE) -> Outcome:
        """Plays the inputs and returns the outcome. Their objects are deleted afterwards."""
        outcome, by_name = Outcome(), {each.name: each for each in inputs}
        self._read = self._log.stat().st_size
        if self.operator is None or self.operator.poll() is not None:
            await self.restart()
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for watch in (self._alive, self._bystander):
                group.create_task(watch(outcome, over))
            with contextlib.suppress(_Ended):
                await self._hand_over(inputs, outcome)
                await self._judged(by_name, outcome, settle)
            over.set()
        await self._strange(outcome)
        self._excused(by_name, outcome)
        await self._wipe()
        if any(each.oracle in ("restart", "memory", "lag", "bystander") for each in outcome.violations):
            await self.restart()
        return outcome

    async def _hand_over(self, inputs: Sequence[Input], outcome: Outcome) -> None:
        gate = asyncio.Semaphore(8)

        async def one(each: Input) -> None:
            async with gate:
                for head, data in each.written(self.web):
                    code, _ = await self._post(PLURALS[head["kind"]], MALLORY, data)
                    outcome.stored += code == 201
                    outcome.refused += code != 201
                    if code != 201 and not each.forbidden:
                        break  # the rest is about this one

        await asyncio.gather(*map(one, inputs))

    async def _judged(self, by_name: dict[str, Input], outcome: Outcome, settle: float) -> None:
        """Waits until the runs have ended, at most `settle` seconds; terminates the rest, which must end then."""
        began = time.monotonic()
        until, late = began + settle, set[str]()
        while True:
            runs, _ = await self._listed("dagruns")
            left = [run for run in runs if _phase(run) not in FINAL]
            self._late(left, by_name, late, outcome)
            self._many(runs, by_name, outcome, max(1.0, (time.monotonic() - began) / settle))
            settled = not left and time.monotonic() > began + LEAST
            if settled or time.monotonic() > until + settle * (self.machine.burden - 1):
                break
            await self._pause(0.5)
        await self._forbidden(runs, by_name, outcome)
        await self._terminated(left, by_name, outcome)
        runs, text = await self._listed("dagruns")
        outcome.runs.update(_phase(run) or "none" for run in runs)
        for plural in ("dagruns", "triggers", "dags", "backfills", "approvals"):
            if JEWEL in (text if plural == "dagruns" else (await self._listed(plural))[1]):
                outcome.violations.append(
                    Violation("secret", f"{plural} of {MALLORY} show what is another namespace's")
                )

    def _late(self, left: list[Body], by_name: dict[str, Input], late: set[str], outcome: Outcome) -> None:
        for run in left:
            each, began = _input(run, by_name), (run.get("status") or {}).get("startedAt")
            if each is None or each.timeout is None or not began or run["metadata"]["name"] in late:
                continue
            lasted = time.time() - datetime.fromisoformat(began).timestamp()
            if lasted > each.timeout + 1 + LIMITS["late"] * self.machine.burden:
                late.add(run["metadata"]["name"])
                outcome.violations.append(
                    Violation(
                        "timeout",
                        f"a run still goes on after {lasted:.0f} s, its timeout is {each.timeout:.0f} s",
                        each,
                    )
                )

    def _many(self, runs: list[Body], by_name: dict[str, Input], outcome: Outcome, longer: float) -> None:
        """`longer` is by how much more time than usual the inputs had to create runs."""
        said = {each.input for each in outcome.violations if each.oracle == "runaway"}
        for each, count in Counter(_input(run, by_name) for run in runs).items():
            if each and count > each.most * longer and each not in said:
                outcome.violations.append(Violation("runaway", f"{count} runs came of it", each))

    async def _forbidden(self, runs: list[Body], by_name: dict[str, Input], outcome: Outcome) -> None:
        for run in runs:
            each = _input(run, by_name)
            if each and each.forbidden and each.forbidden in ((run.get("status") or {}).get("outputs") or {}):
                outcome.violations.append(
                    Violation("approval", f"task {each.forbidden} has run, and nobody had approved it", each)
                )

    async def _terminated(self, left: list[Body], by_name: dict[str, Input], outcome: Outcome) -> None:
        gate, patch = asyncio.Semaphore(16), {**_AUTH, "Content-Type": "application/merge-patch+json"}

        async def one(run: Body) -> None:
            url = f"{self.api}/apis/tradewind.dev/v1alpha1/namespaces/{MALLORY}/dagruns/{run['metadata']['name']}"
            async with gate, self._http.patch(url, data=b'{"spec": {"desiredState": "Terminated"}}', headers=patch):
                pass

        await asyncio.gather(*map(one, left))
        asked = {run["metadata"]["uid"] for run in left}
        until = time.monotonic() + 2 + LIMITS["late"] * self.machine.burden + len(left) / 50
        while asked:
            runs, _ = await self._listed("dagruns")
            left = [
                run
                for run in runs
                if run["metadata"]["uid"] in asked
                and _phase(run) not in FINAL
                and run["spec"].get("desiredState") == "Terminated"
            ]
            if not left:
                break
            if time.monotonic() > until:
                for run in left:
                    outcome.violations.append(
                        Violation(
                            "terminate",
                            f"run {run['metadata']['name']} ({_phase(run) or 'without a phase'}) does not end when it is terminated",
                            _input(run, by_name),
                        )
                    )
                break
            await self._pause(0.3)

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if self.operator is None or self.operator.poll() is not None:
            raise _Ended

    async def _alive(self, outcome: Outcome, over: asyncio.Event) -> None:
        """Watches the process: that it is alive, its memory, and how long its event loop blocks."""
        said = set[str]()

        def once(oracle: str, words: str) -> None:
            if oracle not in said:
                outcome.violations.append(Violation(oracle, words))
            said.add(oracle)

        while not over.is_set() and self.operator:
            self.machine.look()
            if (code := self.operator.poll()) is not None:
                once("restart", f"the operator has ended with exit code {code}")
                return
            own, taken = memory(self.operator.pid, False), memory(self.operator.pid)
            outcome.memory, outcome.whole = max(outcome.memory, own), max(outcome.whole, taken)
            if own > MEMORY or taken > WHOLE:
                once("memory", f"the operator takes {own} MiB, with its children {taken} MiB")
                if taken > 2 * WHOLE:
                    self.operator.kill()  # before it takes the machine down
            took = await self._livez()
            outcome.lag = max(outcome.lag, took / self.machine.burden)
            if took > LIMITS["lag"] * self.machine.burden:
                once("lag", f"/livez was answered after {took:.1f} s")
            await asyncio.sleep(0.1)

    async def _livez(self) -> float:
        """Seconds until it was answered, at most 15."""
        began = time.perf_counter()
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with self._http.get(f"{self._probes}/livez", timeout=aiohttp.ClientTimeout(total=15)) as answer:
                await answer.read()
        return time.perf_counter() - began

    async def _bystander(self, outcome: Outcome, over: asyncio.Event) -> None:
        """Creates run after run in another namespace."""
        number = 0
        while not over.is_set():
            dag = ("b-compute", "b-http", "b-sensor")[number % 3]
            number += 1
            took = await self._one_run(dag, over)
            if took is None:
                continue
            outcome.others.append(took / self.machine.burden)
            if took > LIMITS["bystander"] * self.machine.burden:
                outcome.violations.append(
                    Violation("bystander", f"a run of {dag} in another namespace took {took:.1f} s")
                )
                return
            await asyncio.sleep(0.3)

    async def _one_run(self, dag: str, over: asyncio.Event) -> float | None:
        """Seconds until a run has succeeded; 20 if it has not. None if the batch was over before."""
        body = {
            "apiVersion": "tradewind.dev/v1alpha1",
            "kind": "DAGRun",
            "metadata": {"generateName": f"{dag}-"},
            "spec": {"dag": dag},
        }
        code, told = await self._post("dagruns", BYSTANDER, json.dumps(body).encode())
        assert code == 201, told
        name, began = json.loads(told)["metadata"]["name"], time.monotonic()
        url = f"{self.api}/apis/tradewind.dev/v1alpha1/namespaces/{BYSTANDER}/dagruns/{name}"
        while (took := time.monotonic() - began) < 20:
            async with self._http.get(url, headers=_AUTH) as answer:
                phase = _phase(json.loads(await answer.read()))
            if phase == "Succeeded":
                return took
            if phase in FINAL:
                break
            if over.is_set() and took < LIMITS["bystander"]:
                return None
            await asyncio.sleep(0.05)
        return 20.0

    async def _strange(self, outcome: Outcome) -> None:
        async with self._http.get(f"{self.control}/strange") as answer:
            for request in (await answer.json())[:5]:
                outcome.violations.append(Violation("request", request))
        async with self._http.get(f"{self.web_control}/") as answer:
            seen = await answer.json(content_type=None)
        for line, head, body in seen:
            if JEWEL in head + body:
                outcome.violations.append(Violation("secret", f"{line} carries what is another namespace's"))
            if framing := FRAMED.search(head):
                outcome.violations.append(Violation("framed", f"{line[:100]} has its author's {framing[0]!r}"))
            if BEARER in head + body and not line.startswith("GET /fast "):
                outcome.violations.append(Violation("smuggled", f"{line[:100]} carries the bystander's credentials"))

    def _excused(self, by_name: dict[str, Input], outcome: Outcome) -> None:
        with self._log.open("rb") as file:
            file.seek(self._read)
            outcome.violations += exceptions(file.read().decode(errors="replace"), by_name)

    async def _wipe(self) -> None:
        async with self._http.post(f"{self.control}/wipe", params={"namespace": MALLORY}) as answer:
            await answer.read()


class _Ended(Exception):
    """The operator has ended."""


_AUTH = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


def _phase(run: Body) -> str:
    return str((run.get("status") or {}).get("phase") or "")


def _input(run: Body, by_name: dict[str, Input]) -> Input | None:
    """The input that a run belongs to, by the name of its DAG."""
    name = str(run["spec"].get("dag") or "")
    return (
        by_name.get(name) or by_name.get(name.rstrip("abc")) or by_name.get(run["metadata"]["name"].partition("-")[0])
    )


@contextlib.asynccontextmanager
async def arena(folder: Path, plant: str = "") -> AsyncIterator[Arena]:
    """An arena, with a folder for its logs."""
    folder.mkdir(parents=True, exist_ok=True)
    async with Arena(folder, plant) as here:
        yield here
