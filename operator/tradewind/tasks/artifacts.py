"""The program beside a task with artifacts: `fetch` gets the task's inputs before it starts, `store` keeps its outputs
after it ends.

The result is the termination message: references by name, or `{"reason", "message"}`.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any, BinaryIO

from tradewind.tasks import archives, pack, sources, stores
from tradewind.tasks.s3 import Bucket
from tradewind.tasks.stores import Failed, Missing, Store, Volume

READY = "ready"
"""`store` prints this once it listens for the signal that the task's container has ended; that container starts only
then."""
MESSAGE_LIMIT = 4_000


class Problem(Exception):
    """Why the attempt fails: a reason and a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def store_of(env: dict[str, Any]) -> Store:
    """The store described by the environment."""
    about = json.loads(env["TRADEWIND_STORE"])
    if "claim" in about:
        folder = about["path"].strip("/")
        base = f"volume://{about['claim']}/{folder + '/' if folder else ''}"
        return Volume(base, Path(env["TRADEWIND_VOLUME"]) / folder)
    keys = (env["TRADEWIND_ACCESS_KEY"], env["TRADEWIND_SECRET_KEY"])
    return Bucket(about["endpoint"], about["bucket"], about["prefix"], about["region"], *keys)


def scratch_file(folder: Path) -> BinaryIO:
    """A file without a name, on the volume of the task."""
    return tempfile.TemporaryFile(dir=folder)


def keep(store: Store, root: Path, prefix: str, name: str, path: str) -> dict[str, Any]:
    """Stores one artifact and returns its reference. Raises Problem."""
    source = root / path
    what = f"artifact {name}"
    try:
        if source.is_symlink() or not source.exists():
            if not source.is_symlink():
                raise Problem("ArtifactMissing", f"{what}: the task made no {path} below $TRADEWIND_ARTIFACTS")
            raise pack.UnsafeArchive(f"{path} is a symbolic link: copy the file instead")
        with scratch_file(root.parent) if source.is_dir() else pack.open_file(source, root) as file:
            if source.is_dir():
                pack.pack(source, root, file)
            size, sha256 = pack.digest(file)
            key = f"{prefix}/{name}"
            store.put(key, file, size, sha256)
    except pack.UnsafeArchive as error:
        raise Problem("ArtifactError", f"{what}: {error}") from None
    except (Failed, OSError) as error:
        raise Problem("ArtifactError", f"{what} can't be stored in {store.base}: {error}") from None
    kind = "folder" if source.is_dir() else "file"
    print(f"stored {name}: {size} bytes in {stores.uri(store, key)}", flush=True)
    return {"uri": stores.uri(store, key), "size": size, "sha256": sha256, "type": kind}


def bring(store: Store | None, root: Path, item: dict[str, Any]) -> None:
    """Fetches one artifact to the path that the task expects. Raises Problem."""
    target, origin = root / item["path"], _origin(item)
    what = f"artifact {item['name']} ({origin})"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if "text" in item:
            target.write_text(item["text"], encoding="utf-8")
            size = target.stat().st_size
        elif item.get("key", "").endswith("/"):
            size = _bring_folder(_needed(store), sources.safe(item["key"]), target)
        else:
            size = _bring_file(store, item, target, what)
    except Missing as error:
        if item.get("optional"):
            print(f"{what}: {error}; the task starts without it", flush=True)
            return
        raise Problem("ArtifactMissing", f"{what}: {error}") from None
    except (Failed, OSError, UnicodeError, pack.UnsafeArchive) as error:
        raise Problem("ArtifactError", f"{what} can't be fetched: {error}") from None
    print(f"fetched {item['name']}: {size} bytes to {item['path']}", flush=True)


def _bring_file(store: Store | None, item: dict[str, Any], target: Path, what: str) -> int:
    limit = item.get("maxSize", sources.LIMIT)
    with scratch_file(target.parent) as file:
        if "url" in item:
            sources.download(item["url"], file, limit)
        elif "key" in item:
            _needed(store).get(sources.safe(item["key"]), file)
        else:
            there = _needed(store)
            there.get(stores.key(there, item["artifact"]["uri"]), file)
        size, sha256 = pack.digest(file)
        _verify(item, what, size, sha256)
        if item.get("unpack"):
            archives.unpack(file, target, limit)
        elif item.get("artifact", {}).get("type") == "folder":
            pack.unpack(file, target)
        else:
            _copy(file, target)
        return size


def _bring_folder(store: Store, prefix: str, target: Path) -> int:
    size = 0
    for key in sources.below(store, prefix):
        place = target / sources.safe(key.removeprefix(prefix))
        place.parent.mkdir(parents=True, exist_ok=True)
        with scratch_file(target.parent) as file:
            store.get(key, file)
            size += pack.digest(file)[0]
            _copy(file, place)
    return size


def _copy(file: BinaryIO, target: Path) -> None:
    with target.open("wb") as copy:
        shutil.copyfileobj(file, copy, pack.CHUNK)


def _verify(item: dict[str, Any], what: str, size: int, sha256: str) -> None:
    if reference := item.get("artifact"):
        if (size, sha256) != (reference["size"], reference["sha256"]):
            wanted = f"{reference['size']} bytes, sha256 {reference['sha256']}"
            found = f"{size} bytes, sha256 {sha256}"
            raise Problem("ArtifactMismatch", f"{what} was stored as {wanted}, and is now {found}")
    elif item.get("sha256", sha256) != sha256:
        raise Problem("ArtifactMismatch", f"{what} should have sha256 {item['sha256']}, and has {sha256}")


def _origin(item: dict[str, Any]) -> str:
    """Where an input comes from, in words."""
    reference = item.get("artifact")
    return str(reference["uri"] if reference else item.get("url") or item.get("key") or "text")


def _needed(store: Store | None) -> Store:
    if store is None:
        raise Failed("the DAG has no store for artifacts: write spec.artifacts.store")
    return store


def fetch(env: dict[str, Any]) -> dict[str, Any]:
    """Fetches all inputs of the task. Raises Problem."""
    store, root = store_of(env) if "TRADEWIND_STORE" in env else None, make_folder(env)
    for item in json.loads(env["TRADEWIND_INPUTS"]):
        bring(store, root, item)
    return {}


def keep_all(env: dict[str, Any]) -> dict[str, Any]:
    """Waits for the task's container to end, then stores its outputs. Returns references by name. Raises Problem."""
    root, work = make_folder(env), json.loads(env["TRADEWIND_OUTPUTS_TO_STORE"])
    # The kubelet ends this container once the task's container has ended. Blocking the signal keeps it pending, so it
    # can't come too early.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    say(env, READY)
    signal.sigwait({signal.SIGTERM})
    store = store_of(env)
    found = {name: keep(store, root, work["prefix"], name, path) for name, path in work["outputs"].items()}
    if age := work.get("expireAfter"):
        expire(store, work["all"], age)
    return found


def expire(store: Store, prefix: str, age: float) -> None:
    """Removes old artifacts of the same DAG. A failure to do so does not fail the task."""
    try:
        if removed := store.expire(prefix, age):
            print(f"removed {removed} artifacts below {store.base}{prefix} that were older than {age:g} s", flush=True)
    except (Failed, Missing, OSError, ValueError) as error:
        print(f"old artifacts were not removed: {error}", file=sys.stderr)


def make_folder(env: dict[str, Any]) -> Path:
    """The folder that the task sees as $TRADEWIND_ARTIFACTS."""
    root = Path(env["TRADEWIND_ARTIFACTS"])
    root.mkdir(parents=True, exist_ok=True)
    root.chmod(0o777)  # the task may run as another user; no other container sees the folder
    return root


def say(env: dict[str, Any], text: str) -> None:
    """Writes the termination message."""
    Path(env["TRADEWIND_MESSAGE"]).write_text(text, encoding="utf-8")


def main() -> int:
    """Exit code: 0 for success, 1 for a problem with an artifact."""
    env: dict[str, Any] = dict(os.environ)
    try:
        result = {"fetch": fetch, "store": keep_all}[sys.argv[1]](env)
        text = json.dumps({"artifacts": result}, separators=(",", ":"))
        if len(text) > MESSAGE_LIMIT:
            raise Problem(
                "ArtifactError", "the references of the artifacts are too long for a pod's status: use shorter names"
            )
    except Problem as problem:
        print(problem, file=sys.stderr)
        say(env, json.dumps({"reason": problem.reason, "message": str(problem)[:2000]}))
        return 1
    except Exception as error:  # whatever a server or an archive brings, the attempt says why it ended
        traceback.print_exc()
        say(env, json.dumps({"reason": "ArtifactError", "message": f"{type(error).__name__}: {error}"[:2000]}))
        return 1
    say(env, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
