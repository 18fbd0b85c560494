"""Tokens of service accounts, their reviews, and the rights of their owners."""

import asyncio
from typing import Any

import pytest
from worlds.world import eventually

from conformance.conftest import Api

REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCESS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


async def token(api: Api, *audiences: str) -> str:
    spec = {"audiences": list(audiences)} if audiences else {}
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    code, answer = await api.call("POST", api.path("serviceaccounts", "default", "token"), body)
    assert code == 201 and answer["status"]["expirationTimestamp"].endswith("Z"), answer
    return str(answer["status"]["token"])


async def reviewed(api: Api, value: str, *audiences: str) -> Any:
    spec = {"token": value, **({"audiences": list(audiences)} if audiences else {})}
    code, answer = await api.call(
        "POST", REVIEWS, {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
    )
    assert code == 201, answer
    return answer["status"]


async def may(api: Api, name: str = "", **more: str) -> bool:
    user = f"system:serviceaccount:{api.namespace}:default"
    attributes = {
        "namespace": api.namespace,
        "verb": "create",
        "group": "tradewind.dev",
        "resource": "triggers",
        "subresource": "events",
        "name": name,
        **more,
    }
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{api.namespace}", "system:authenticated"]
    spec = {"user": user, "groups": groups, "resourceAttributes": attributes}
    code, answer = await api.call(
        "POST", ACCESS, {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    )
    assert code == 201, answer
    return bool(answer["status"]["allowed"])


async def test_a_token_says_whose_it_is(api: Api) -> None:
    status = await reviewed(api, await token(api, "there"), "there", "elsewhere")
    assert status["authenticated"] is True and status["audiences"] == ["there"]
    assert status["user"]["username"] == f"system:serviceaccount:{api.namespace}:default"
    assert set(status["user"]["groups"]) == {
        "system:serviceaccounts",
        f"system:serviceaccounts:{api.namespace}",
        "system:authenticated",
    }


@pytest.mark.parametrize("asked", [("elsewhere",), ()])
async def test_a_token_for_one_audience_is_none_for_another(api: Api, asked: tuple[str, ...]) -> None:
    status = await reviewed(api, await token(api, "there"), *asked)
    assert not status.get("authenticated") and "invalid bearer token" in status["error"]


async def test_a_token_for_no_audience_is_one_for_the_api_server(api: Api) -> None:
    assert (await reviewed(api, await token(api)))["authenticated"] is True
    assert not (await reviewed(api, "nothing")).get("authenticated")


async def test_a_token_ends_with_its_account(api: Api) -> None:
    value = await token(api, "there")
    await api.call("DELETE", api.path("serviceaccounts", "default"))

    async def ended() -> bool:
        return not (await reviewed(api, value, "there")).get("authenticated")

    await eventually(ended)  # the API server learns of accounts by a watch


async def test_no_token_is_made_for_an_account_that_is_not_there(api: Api) -> None:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    code, answer = await api.call("POST", api.path("serviceaccounts", "nobody", "token"), body)
    assert (code, answer["reason"]) == (404, "NotFound")


async def test_a_token_lasts_at_least_ten_minutes(api: Api) -> None:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 60}}
    code, answer = await api.call("POST", api.path("serviceaccounts", "default", "token"), body)
    assert (code, answer["reason"]) == (422, "Invalid")


async def test_a_right_is_one_to_a_resource_a_subresource_and_a_name(api: Api) -> None:
    assert not await may(api, "orders")
    rules = [
        {
            "apiGroups": ["tradewind.dev"],
            "resources": ["triggers/events"],
            "verbs": ["create"],
            "resourceNames": ["orders"],
        }
    ]
    kind = {"apiVersion": "rbac.authorization.k8s.io/v1"}
    subjects = [{"kind": "ServiceAccount", "name": "default", "namespace": api.namespace}]
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "sender"}
    for plural, body in (
        ("roles", {**kind, "kind": "Role", "metadata": {"name": "sender"}, "rules": rules}),
        (
            "rolebindings",
            {**kind, "kind": "RoleBinding", "metadata": {"name": "sender"}, "subjects": subjects, "roleRef": ref},
        ),
    ):
        code, answer = await api.call("POST", f"{RBAC}/namespaces/{api.namespace}/{plural}", body)
        assert code == 201, answer
    async with asyncio.timeout(100):
        while not await may(api, "orders"):  # a real server learns of a binding a moment later
            await asyncio.sleep(0.05)
    assert not await may(api, "others") and not await may(api)
    assert not await may(api, "orders", verb="get") and not await may(api, "orders", subresource="")
    assert not await may(api, "orders", namespace="default")
