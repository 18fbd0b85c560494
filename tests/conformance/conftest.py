"""One suite of API behaviours, on the embedded server and on a real one: where they differ, the embedded one is wrong."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import yaml
from tradewind.kube.connection import connect
from tradewind.local.apiserver import ApiServer

GROUP = "conformance.tradewind.dev"
CRD = yaml.safe_load("""
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: gadgets.conformance.tradewind.dev}
spec:
  group: conformance.tradewind.dev
  scope: Namespaced
  names: {kind: Gadget, plural: gadgets, singular: gadget, shortNames: [gdg]}
  versions:
    - name: v1
      served: true
      storage: true
      subresources: {status: {}}
      selectableFields: [{jsonPath: .spec.colour}]
      additionalPrinterColumns:
        - {name: Size, type: integer, jsonPath: .spec.size}
        - {name: Phase, type: string, jsonPath: .status.phase}
      schema:
        openAPIV3Schema:
          type: object
          required: [spec]
          properties:
            spec:
              type: object
              required: [size]
              x-kubernetes-validations:
                - {rule: "!has(self.high) || self.size <= self.high", message: size is over high}
                - {rule: "self.colour == oldSelf.colour", message: colour is fixed}
              properties:
                size: {type: integer, minimum: 1, maximum: 10}
                high: {type: integer}
                colour: {type: string, enum: [red, blue], default: red}
                code: {type: string, pattern: "^[a-z]+$", maxLength: 5}
                tags: {type: array, maxItems: 3, items: {type: string}, x-kubernetes-list-type: set}
                free: {type: object, x-kubernetes-preserve-unknown-fields: true}
                anything: {x-kubernetes-preserve-unknown-fields: true}
                amount: {x-kubernetes-int-or-string: true}
            status:
              type: object
              properties: {phase: {type: string}}
""")


@dataclass
class Api:
    """A client that hides nothing, in its own namespace."""

    session: aiohttp.ClientSession
    url: str
    headers: dict[str, str]
    namespace: str
    server: ApiServer | None

    def path(self, plural: str, name: str = "", sub: str = "") -> str:
        prefix = {
            "gadgets": f"/apis/{GROUP}/v1",
            "leases": "/apis/coordination.k8s.io/v1",
            "controllerrevisions": "/apis/apps/v1",
        }.get(plural, "/api/v1")
        return "/".join(part for part in (f"{prefix}/namespaces/{self.namespace}/{plural}", name, sub) if part)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        content: str = "application/json",
        accept: str = "",
        **query: str,
    ) -> tuple[int, Any]:
        headers = {**self.headers, **({"Accept": accept} if accept else {})}
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = content
        async with self.session.request(method, self.url + path, data=data, headers=headers, params=query) as response:
            self.warnings = response.headers.getall("Warning", [])
            text = await response.text()
            return response.status, json.loads(text) if text.startswith(("{", "[")) else text

    async def create(self, plural: str, body: Any, **query: str) -> tuple[int, Any]:
        return await self.call("POST", self.path(plural), body, **query)

    async def made(self, plural: str, body: Any) -> Any:
        code, answer = await self.create(plural, body)
        assert code == 201, answer
        return answer

    async def patch(
        self, plural: str, name: str, body: Any, kind: str = "merge-patch+json", sub: str = "", **query: str
    ) -> tuple[int, Any]:
        return await self.call("PATCH", self.path(plural, name, sub), body, f"application/{kind}", **query)

    async def watch(self, plural: str, count: int, **query: str) -> list[Any]:
        """The first `count` events."""
        events: list[Any] = []
        async with asyncio.timeout(100):
            async with self.session.get(
                self.url + self.path(plural), headers=self.headers, params={"watch": "true", **query}
            ) as response:
                async for line in response.content:
                    events.append(json.loads(line))
                    if len(events) == count:
                        return events
        return events


def gadget(name: str = "g", labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Gadget",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {"size": 1, **spec},
    }


def config(name: str = "c", labels: dict[str, str] | None = None, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels or {}}, "data": data}


def pod(name: str = "p", **spec: Any) -> dict[str, Any]:
    # No node has this label: the pod stays unscheduled on a real cluster too.
    base = {"containers": [{"name": "main", "image": "busybox:1.36"}], "nodeSelector": {"conformance": "nowhere"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {**base, **spec}}


@pytest_asyncio.fixture(params=["embedded", pytest.param("real", marks=pytest.mark.e2e)])
async def api(request: pytest.FixtureRequest) -> AsyncIterator[Api]:
    namespace = f"conf-{secrets.token_hex(3)}"
    if request.param == "embedded":
        async with ApiServer(crds=[CRD]) as server, aiohttp.ClientSession() as session:
            made = Api(session, server.url, {}, namespace, server)
            await made.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
            yield made
        return
    cluster = request.getfixturevalue("cluster")
    cluster.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump(CRD))
    cluster.kubectl("wait", "--for=condition=Established", "crd/gadgets.conformance.tradewind.dev", "--timeout=120s")
    connection = connect(str(cluster.kubeconfig))
    value = connection.authorization()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=connection.ssl())) as session:
        made = Api(session, connection.server, {"Authorization": value} if value else {}, namespace, None)
        await made.call(
            "POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        )
        async with asyncio.timeout(100):
            while (await made.call("GET", made.path("serviceaccounts", "default")))[0] != 200 or (
                await made.call("GET", made.path("gadgets"))
            )[0] != 200:
                await asyncio.sleep(0.05)
        yield made
        await made.call("DELETE", f"/api/v1/namespaces/{namespace}")
