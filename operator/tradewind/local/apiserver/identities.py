"""Identities and rights: tokens of service accounts, TokenReview, and SubjectAccessReview by the existing RBAC objects.

Reviews only report rights: the server itself admits every request with its own token."""

import getpass
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tradewind.kube.client import Object
from tradewind.local.apiserver.errors import Cause, bad_request, invalid
from tradewind.local.apiserver.operations import Operations
from tradewind.local.apiserver.url import Target

ISSUER = "https://kubernetes.default.svc.cluster.local"
"""The audience of tokens requested without one."""
HOUR = 3_600
ASKED = {
    ("authentication.k8s.io", "tokenreviews", ""),
    ("authentication.k8s.io", "selfsubjectreviews", ""),
    ("authorization.k8s.io", "subjectaccessreviews", ""),
    ("authorization.k8s.io", "selfsubjectaccessreviews", ""),
    ("", "serviceaccounts", "token"),
}
RBAC = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Token:
    """An issued token."""

    namespace: str
    account: str
    uid: str
    audiences: tuple[str, ...]
    expires: float


class Identities:
    """Answers reviews and issues tokens, which live as long as the server."""

    def __init__(self, operations: Operations, clock: Callable[[], float] = time.time) -> None:
        self._operations, self._clock = operations, clock
        self._tokens: dict[str, Token] = {}

    @staticmethod
    def serves(target: Target, verb: str) -> bool:
        """Whether `answer` handles a request."""
        return verb == "create" and (target.group, target.plural, target.subresource) in ASKED

    def answer(self, target: Target, body: Any) -> Object:
        """The review, or the token request, with its status."""
        if target.plural == "selfsubjectreviews":
            user = {"username": getpass.getuser(), "groups": ["system:masters", "system:authenticated"]}
            answer = _answered("authentication.k8s.io/v1", "SelfSubjectReview", {}, {"userInfo": user})
            return {**answer, "metadata": {"creationTimestamp": self._operations.now()}}
        spec = (body or {}).get("spec") if isinstance(body, dict) else None
        if not isinstance(spec, dict) and target.plural != "serviceaccounts":
            raise bad_request("the body has no spec")
        spec = spec or {}
        if target.plural == "tokenreviews":
            return _answered("authentication.k8s.io/v1", "TokenReview", spec, self._review(spec))
        if target.plural == "subjectaccessreviews":
            status = {"allowed": any(self._grants(spec))}
            return _answered("authorization.k8s.io/v1", "SubjectAccessReview", spec, status)
        if target.plural == "selfsubjectaccessreviews":
            # The server's own token may do everything.
            return _answered("authorization.k8s.io/v1", "SelfSubjectAccessReview", spec, {"allowed": True})
        return self._request(target, spec)

    def _request(self, target: Target, spec: Object) -> Object:
        account = self._operations.get(
            self._operations.kind("", "v1", "serviceaccounts"), target.namespace, target.name
        )
        lasts = int(spec.get("expirationSeconds") or HOUR)
        if lasts < 600:
            cause = Cause.invalid(
                "spec.expirationSeconds", str(lasts), "may not specify a duration less than 10 minutes"
            )
            raise invalid("TokenRequest", "authentication.k8s.io", target.name, [cause])
        audiences = spec.get("audiences") or [ISSUER]
        now = self._clock()
        self._tokens = {token: known for token, known in self._tokens.items() if known.expires > now}
        token = secrets.token_urlsafe(32)
        self._tokens[token] = Token(
            target.namespace, target.name, account["metadata"]["uid"], tuple(audiences), now + lasts
        )
        expires = datetime.fromtimestamp(now + lasts, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        spec = {"audiences": audiences, "expirationSeconds": lasts}
        return _answered(
            "authentication.k8s.io/v1", "TokenRequest", spec, {"token": token, "expirationTimestamp": expires}
        )

    def _review(self, spec: Object) -> Object:
        known = self._tokens.get(str(spec.get("token") or ""))
        if known is None or known.expires <= self._clock() or not self._there(known):
            return {"user": {}, "error": "[invalid bearer token]"}
        wanted = spec.get("audiences") or [ISSUER]
        if not (common := [audience for audience in wanted if audience in known.audiences]):
            words = f"[invalid bearer token, token audiences {list(known.audiences)} is invalid for the target audiences {wanted}]"
            return {"user": {}, "error": words}
        groups = ["system:serviceaccounts", f"system:serviceaccounts:{known.namespace}", "system:authenticated"]
        user = {
            "username": f"system:serviceaccount:{known.namespace}:{known.account}",
            "uid": known.uid,
            "groups": groups,
        }
        return {"authenticated": True, "user": user, "audiences": common}

    def _there(self, token: Token) -> bool:
        account = self._operations.store.get("/serviceaccounts", token.namespace, token.account)
        return account is not None and account["metadata"]["uid"] == token.uid

    def _grants(self, spec: Object) -> Iterator[bool]:
        """For each rule bound to a user: whether it allows the request."""
        asked = spec.get("resourceAttributes") or {}
        user, groups = spec.get("user") or "", spec.get("groups") or []
        if "system:masters" in groups:
            yield True
        store, namespace = self._operations.store, asked.get("namespace") or ""
        bindings = list(store.list(f"{RBAC}/clusterrolebindings"))
        bindings += store.list(f"{RBAC}/rolebindings", namespace) if namespace else []
        for binding in bindings:
            if not any(_is(subject, user, groups) for subject in binding.get("subjects") or ()):
                continue
            ref = binding["roleRef"]
            of_cluster = ref["kind"] == "ClusterRole"
            role = store.get(
                f"{RBAC}/{'clusterroles' if of_cluster else 'roles'}", "" if of_cluster else namespace, ref["name"]
            )
            for rule in (role or {}).get("rules") or ():
                yield _allows(rule, asked)


def _is(subject: Object, user: str, groups: list[str]) -> bool:
    match subject.get("kind"):
        case "ServiceAccount":
            return user == f"system:serviceaccount:{subject.get('namespace')}:{subject['name']}"
        case "Group":
            return subject["name"] in groups
        case _:
            return bool(subject["name"] == user)


def _allows(rule: Object, asked: Object) -> bool:
    resource = asked.get("resource") or ""
    sub = asked.get("subresource")
    resources = {"*", f"{resource}/{sub}", f"*/{sub}"} if sub else {"*", resource}
    names = rule.get("resourceNames") or ()
    return (
        _has(rule.get("verbs"), {"*", asked.get("verb") or ""})
        and _has(rule.get("apiGroups"), {"*", asked.get("group") or ""})
        and _has(rule.get("resources"), resources)
        and (not names or asked.get("name") in names)
    )


def _has(given: list[str] | None, wanted: set[str]) -> bool:
    return any(item in wanted for item in given or ())


def _answered(version: str, kind: str, spec: Object, status: Object) -> Object:
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"creationTimestamp": None},
        "spec": spec,
        "status": status,
    }
