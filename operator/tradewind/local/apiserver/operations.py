"""The operations behind requests: create, update, patch, delete. No HTTP here."""

import secrets
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tradewind.kube.client import Object
from tradewind.kube.size import OBJECT_LIMIT, escaped_size
from tradewind.local.apiserver import admission, gc, ownership, quota
from tradewind.local.apiserver.errors import (
    Cause,
    StatusError,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    not_found,
)
from tradewind.local.apiserver.kinds import BUILT_IN, Kind, Registry, custom
from tradewind.local.apiserver.patch import strategic
from tradewind.local.apiserver.store import ObjectStore
from tradewind.local.apiserver.text import write

SUFFIX = "bcdfghjklmnpqrstvwxz2456789"
SERVER_FIELDS = (
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "managedFields",
)
CRDS = "apiextensions.k8s.io/customresourcedefinitions"


class Operations:
    """The objects and the operations on them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.store = ObjectStore()
        self.registry = Registry()
        self.registry.add(BUILT_IN)
        self._clock = clock

    def kind(self, group: str, version: str, plural: str) -> Kind:
        """The kind of a URL. Raises 404."""
        found = self.registry.kinds.get((group, version, plural))
        if found is None:
            raise StatusError(404, "NotFound", "the server could not find the requested resource", {})
        return found

    def now(self, ahead: float = 0.0) -> str:
        """An API timestamp, that of now or some seconds ahead."""
        return datetime.fromtimestamp(self._clock() + ahead, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """An object. Raises 404."""
        found = self.store.get(kind.key, namespace, name)
        if found is None:
            raise not_found(kind.plural, kind.group, name)
        return found

    def create(
        self,
        kind: Kind,
        namespace: str,
        sent: Any,
        mode: str = "Warn",
        dry_run: bool = False,
        manager: str = "",
        operation: str = "Update",
    ) -> tuple[Object, list[str]]:
        """Creates an object; returns the stored one and warnings. `manager`, if given, owns its fields."""
        body = admission.read(kind, sent)
        body, warnings = admission.known_fields(kind, body, mode)
        meta: Object = {key: value for key, value in body["metadata"].items() if key not in SERVER_FIELDS}
        if meta.pop("resourceVersion", None):
            raise bad_request("resourceVersion should not be set on objects to be created")
        if not meta.get("name") and meta.get("generateName"):
            meta["name"] = f"{meta['generateName'][:58]}{''.join(secrets.choice(SUFFIX) for _ in range(5))}"
        if kind.namespaced:
            self._place(kind, meta, namespace)
        body = {**body, "metadata": meta}
        if kind.status and kind.schema is not None:
            body.pop("status", None)
        elif kind.status and kind.plural == "pods":
            body["status"] = {}
        intended, body = body, admission.defaulted(kind, body)
        admission.validate(kind, body, None)
        if manager and ownership.tracked(kind):
            noted = ownership.created(kind, intended if operation == "Apply" else body, manager, operation, self.now())
            body["metadata"] = {**body["metadata"], "managedFields": noted["metadata"].get("managedFields", [])}
        meta = {**body["metadata"], "uid": str(uuid.uuid4()), "creationTimestamp": self.now()}
        if kind.schema is not None or "spec" in body:
            meta["generation"] = 1
        body = {**body, "metadata": meta}
        _check_size(body)
        if self.store.get(kind.key, meta.get("namespace", ""), meta["name"]):
            raise already_exists(kind.plural, kind.group, meta["name"])
        if kind.plural == "pods":
            quota.admit(self.store, body)
        if dry_run:
            return body, warnings
        if kind.key == CRDS:
            body = self._serve(body)
        stored = self.store.put(kind.key, body)
        if kind.plural == "namespaces":
            self._furnish(meta["name"])
        return stored, warnings

    def _place(self, kind: Kind, meta: Object, namespace: str) -> None:
        if meta.setdefault("namespace", namespace) != namespace:
            raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
        home = self.store.get("/namespaces", "", namespace)
        if home is None:
            raise not_found("namespaces", "", namespace)
        if home["metadata"].get("deletionTimestamp"):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise forbidden(kind.plural, meta.get("name", ""), why)

    def _furnish(self, namespace: str) -> None:
        account = self.kind("", "v1", "serviceaccounts")
        self.create(account, namespace, {"metadata": {"name": "default"}})

    def _serve(self, crd: Object) -> Object:
        self.registry.add(custom(crd))
        conditions = [
            {"type": kind, "status": "True", "reason": reason, "message": "", "lastTransitionTime": self.now()}
            for kind, reason in (("NamesAccepted", "NoConflicts"), ("Established", "InitialNamesAccepted"))
        ]
        names = crd["spec"]["names"]
        status = {
            "conditions": conditions,
            "acceptedNames": names,
            "storedVersions": [crd["spec"]["versions"][0]["name"]],
        }
        return {**crd, "status": status}

    def change(
        self,
        kind: Kind,
        namespace: str,
        name: str,
        make: Callable[[Object], Any],
        subresource: str = "",
        mode: str = "Warn",
        dry_run: bool = False,
        manager: str = "",
        applies: bool = False,
    ) -> tuple[Object, list[str]]:
        """Replaces an object by the result of `make`; returns the stored one and warnings. An unchanged object is not
        written. With `applies`, `make` sets the owners of fields; otherwise `manager` owns what has changed."""
        old = self.get(kind, namespace, name)
        sent = admission.read(kind, make(old))
        wanted = sent["metadata"].get("resourceVersion")
        if not wanted and kind.schema is not None:
            missing = Cause.invalid("metadata.resourceVersion", "0x0", "must be specified for an update")
            raise invalid(kind.kind, kind.group, name, [missing])
        if wanted and wanted != old["metadata"]["resourceVersion"]:
            why = "the object has been modified; please apply your changes to the latest version and try again"
            raise conflict(kind.plural, kind.group, name, why)
        if sent["metadata"].get("name", name) != name:
            raise bad_request(
                f"the name of the object ({sent['metadata']['name']}) does not match the name on the URL ({name})"
            )
        if sent["metadata"].get("uid") not in (None, old["metadata"]["uid"]):
            why = f"Precondition failed: UID in precondition: {sent['metadata']['uid']}, UID in object meta: {old['metadata']['uid']}"
            raise conflict(kind.plural, kind.group, name, why)
        sent, warnings = admission.known_fields(kind, sent, mode)
        body = self._merged(kind, old, sent, subresource)
        if kind.schema is not None or kind.plural == "secrets":  # stringData is never stored
            body = admission.defaulted(kind, body)
        admission.validate(kind, body, old)
        if body != old and not subresource and ownership.tracked(kind):
            if applies:
                body["metadata"] = {**body["metadata"], "managedFields": sent["metadata"].get("managedFields", [])}
            elif manager:
                body = ownership.updated(kind, old, body, manager, self.now())
        elif applies and sent["metadata"].get("managedFields") != old["metadata"].get("managedFields"):
            body = {**body, "metadata": {**body["metadata"], "managedFields": sent["metadata"]["managedFields"]}}
        _check_size(body)
        if body == old:
            return old, warnings
        if body.get("spec") != old.get("spec") and "generation" in old["metadata"]:
            body["metadata"] = {**body["metadata"], "generation": old["metadata"]["generation"] + 1}
        if dry_run:
            return body, warnings
        if kind.key == CRDS and not subresource:
            body = self._serve(body)
        stored = self.store.put(kind.key, body)
        return (self._sweep(kind, stored) or stored), warnings

    def apply(
        self, kind: Kind, namespace: str, name: str, sent: Any, manager: str, force: bool, **options: Any
    ) -> tuple[Object, list[str]]:
        """Server-side apply to an existing object; returns the stored one and warnings. Raises 409 for fields of other
        managers."""
        if options.get("subresource"):
            return self.change(kind, namespace, name, lambda old: strategic(old, sent), **options)
        intent = admission.read(kind, sent)
        intent, warnings = admission.known_fields(kind, intent, options.get("mode", "Warn"))

        def make(old: Object) -> Object:
            wanted = intent["metadata"].get("resourceVersion")
            made = ownership.applied(kind, old, intent, manager, force, self.now())
            return {**made, "metadata": {**made["metadata"], **({"resourceVersion": wanted} if wanted else {})}}

        return self.change(kind, namespace, name, make, applies=True, **options)[0], warnings

    @staticmethod
    def _merged(kind: Kind, old: Object, sent: Object, subresource: str) -> Object:
        """The new object, limited to the part that a write to it, or to its status, may change."""
        if subresource == "status":
            body = {key: value for key, value in old.items() if key != "status"}
            if "status" in sent:
                body["status"] = sent["status"]
            return body
        meta = {key: value for key, value in sent["metadata"].items() if key not in SERVER_FIELDS}
        meta |= {
            key: old["metadata"][key]
            for key in (*SERVER_FIELDS, "namespace", "resourceVersion")
            if key in old["metadata"]
        }
        body = {**sent, "metadata": meta}
        if kind.status:
            body.pop("status", None)
            if "status" in old:
                body["status"] = old["status"]
        return body

    def delete(self, kind: Kind, namespace: str, name: str, options: Object, dry_run: bool = False) -> Object:
        """Deletes an object, or begins to; returns its last state."""
        body = self.get(kind, namespace, name)
        for key in ("uid", "resourceVersion"):
            wanted = (options.get("preconditions") or {}).get(key)
            if wanted and wanted != body["metadata"][key]:
                label = {"uid": "UID", "resourceVersion": "ResourceVersion"}[key]
                why = f"Precondition failed: {label} in precondition: {wanted}, {label} in object meta: {body['metadata'][key]}"
                raise conflict(kind.plural, kind.group, name, why)
        if dry_run:
            return body
        grace = self._grace(kind, body, options)
        if options.get("propagationPolicy") == "Orphan":
            self._release(body)
        if grace > 0 or body["metadata"].get("finalizers"):
            if not body["metadata"].get("deletionTimestamp"):
                meta = {**body["metadata"], "deletionTimestamp": self.now(grace), "deletionGracePeriodSeconds": grace}
                if "generation" in meta:
                    meta["generation"] += 1
                body = self.store.put(kind.key, {**body, "metadata": meta})
            return body
        if kind.plural == "namespaces":
            return self._terminate(kind, body)
        if kind.key == CRDS:
            self._unserve(body)
        return self.store.remove(kind.key, body)

    @staticmethod
    def _grace(kind: Kind, body: Object, options: Object) -> int:
        """The grace period in seconds of a pod on a node; 0 for everything else."""
        if (
            kind.plural != "pods"
            or not body["spec"].get("nodeName")
            or body["status"].get("phase") in ("Succeeded", "Failed")
        ):
            return 0
        wanted = options.get("gracePeriodSeconds")
        return int(body["spec"].get("terminationGracePeriodSeconds", 30) if wanted is None else wanted)

    def _sweep(self, kind: Kind, body: Object) -> Object | None:
        """Removes an object under deletion that has no finalizers left."""
        meta = body["metadata"]
        if meta.get("deletionTimestamp") and not meta.get("finalizers") and kind.plural != "pods":
            return self.store.remove(kind.key, body)
        return None

    def _terminate(self, kind: Kind, body: Object) -> Object:
        """Begins to delete a namespace: deletes its objects and, once none is left, the namespace."""
        if not body["metadata"].get("deletionTimestamp"):
            meta = {**body["metadata"], "deletionTimestamp": self.now()}
            body = self.store.put(kind.key, {**body, "metadata": meta, "status": {"phase": "Terminating"}})
        name = body["metadata"]["name"]
        for key, item in list(self.store.all()):
            if item["metadata"].get("namespace") == name and not item["metadata"].get("deletionTimestamp"):
                self.delete(self._by_key(key), name, item["metadata"]["name"], {})
        if any(item["metadata"].get("namespace") == name for _, item in self.store.all()):
            return body
        return self.store.remove(kind.key, body)

    def _by_key(self, key: str) -> Kind:
        return next(kind for kind in self.registry.kinds.values() if kind.key == key)

    def _unserve(self, crd: Object) -> None:
        key = f"{crd['spec']['group']}/{crd['spec']['names']['plural']}"
        for body in self.store.list(key):
            self.store.remove(key, body)
        self.registry.remove(key)

    def _release(self, owner: Object) -> None:
        uid = owner["metadata"]["uid"]
        for key, body in list(self.store.all()):
            owners = body["metadata"].get("ownerReferences") or []
            if any(item.get("uid") == uid for item in owners):
                meta = {**body["metadata"], "ownerReferences": [item for item in owners if item.get("uid") != uid]}
                self.store.put(key, {**body, "metadata": meta})

    def collect(self) -> int:
        """Runs one round of garbage collection; returns how many objects were deleted or began to be."""
        found = gc.orphans(self.store)
        for key, body in found:
            self.delete(self._by_key(key), body["metadata"].get("namespace", ""), body["metadata"]["name"], {})
        for namespace in self.store.list("/namespaces"):
            if namespace["metadata"].get("deletionTimestamp"):
                self._terminate(self._by_key("/namespaces"), namespace)
        return len(found)


def _check_size(body: Object) -> None:
    if escaped_size(write(body)) > OBJECT_LIMIT:
        raise StatusError(500, "", "etcdserver: request is too large")
