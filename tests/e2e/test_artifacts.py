"""Artifacts through a volume and through a bucket, in both worlds: they arrive whole, or the attempt says why not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from cluster.objectstore import ObjectStore, object_store
from tradewind.kube.client import Client
from tradewind.kube.resources import RUNS, SECRETS
from worlds.world import Body, World, secret_of

EXAMPLE = Path(__file__).parents[2] / "examples/artifacts/artifacts-s3.yaml"
MAKE = {"artifacts": {"outputs": {"model": {"path": "model.bin"}}}}
WRITE = 'printf 0123456789 > "$TRADEWIND_ARTIFACTS/model.bin"'
READ = {
    "dependsOn": ["make"],
    "artifacts": {"inputs": {"model": {"from": "make.model", "path": "in/model.bin"}}},
    "script": {
        "shell": 'printf "{\\"text\\": \\"$(cat "$TRADEWIND_ARTIFACTS/in/model.bin")\\"}" > "$TRADEWIND_OUTPUTS"'
    },
}
VOLUME = {"store": {"volume": {"claimName": "work", "path": "artifacts"}}}


@pytest.fixture(scope="module")
def prepared(operated: World, request: pytest.FixtureRequest) -> World:
    """A world that knows Tradewind's own image."""
    if operated.name == "real":
        request.getfixturevalue("cluster").load_image("operator")
    return operated


@pytest.fixture
def reached(prepared: World, request: pytest.FixtureRequest) -> World:
    """One whose pods reach this machine, where the bucket's server is."""
    if prepared.name == "real" and request.getfixturevalue("cluster").name != "self-made":
        pytest.skip("pods of this cluster do not reach this machine by a name that is known here")
    return prepared


def store_folder(world: World) -> str:
    """Where tasks find the claim `work`."""
    return world.work if world.name == "real" else str(Path(world.work).parent / "claims" / world.namespace / "work")


def dag(world: World, name: str, tasks: Body, artifacts: Body = VOLUME, **spec: Any) -> Body:
    return world.dag(name, tasks, artifacts=artifacts, **spec)


def why(status: Body) -> tuple[str, str]:
    failure = status["failures"][-1]
    return failure["reason"], failure["message"]


async def test_what_is_made_arrives_and_is_known_by_size_and_checksum(prepared: World) -> None:
    tasks = {
        "make": {**MAKE, "script": {"shell": f'{WRITE}; echo "{{\\"n\\": 1}}" > "$TRADEWIND_OUTPUTS"'}},
        "read": READ,
    }
    async with prepared.client() as client:
        status = await prepared.result(client, dag(prepared, "arrives", tasks))
    assert status["phase"] == "Succeeded" and status["outputs"]["read"] == {"text": "0123456789"}
    made = status["outputs"]["make"]
    model = made["artifacts"]["model"]
    assert made["n"] == 1 and (model["size"], model["type"]) == (10, "file")
    assert model["sha256"] == "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882"
    assert model["uri"].startswith(f"volume://work/artifacts/{prepared.namespace}/arrives/arrives-")
    assert model["uri"].endswith("/make/1/model")


@pytest.mark.parametrize(
    ("command", "reason", "words"),
    [
        ("rm", "ArtifactMissing", "there is no such file on the volume"),
        ("printf 0123456780 >", "ArtifactMismatch", "was stored as 10 bytes, sha256 84d89877f"),
    ],
)
async def test_an_artifact_that_is_gone_or_changed_fails_the_task_that_wants_it(
    prepared: World, command: str, reason: str, words: str
) -> None:
    spoil = {
        "dependsOn": ["make"],
        "env": {"URI": "$[[ tasks.make.outputs.artifacts.model.uri ]]", "STORE": store_folder(prepared)},
        "script": {"shell": f'{command} "$STORE/${{URI#volume://work/}}"'},
    }
    tasks = {
        "make": {**MAKE, "script": {"shell": WRITE}},
        "spoil": spoil,
        "read": {**READ, "dependsOn": ["make", "spoil"]},
    }
    async with prepared.client() as client:
        status = await prepared.result(client, dag(prepared, f"spoilt-{reason.lower()}", tasks))
    assert status["phase"] == "Failed" and why(status)[0] == reason
    assert words in why(status)[1] and "artifact model (volume://work/artifacts/" in why(status)[1]


async def test_an_artifact_that_was_not_made_fails_its_maker_although_the_container_ended_well(prepared: World) -> None:
    tasks = {
        "make": {**MAKE, "script": {"shell": "true"}, "retries": {"limit": 1, "backoff": {"initial": "1s"}}},
        "read": READ,
    }
    async with prepared.client() as client:
        status = await prepared.result(client, dag(prepared, "unmade", tasks))
    assert status["phase"] == "Failed"
    reason, message = why(status)
    assert reason == "ArtifactMissing" and "artifact model: the task made no model.bin" in message
    assert [failure["attempt"] for failure in status["failures"]] == [1, 2]


async def test_an_input_of_a_task_that_failed_may_be_optional(prepared: World) -> None:
    needy = {**READ, "triggerRule": "AllDone"}
    content = {"artifacts": {"inputs": {"model": {"from": "make.model", "path": "in/model.bin", "optional": True}}}}
    content["script"] = {"shell": 'test ! -e "$TRADEWIND_ARTIFACTS/in/model.bin"'}
    tasks = {"make": {**MAKE, "script": {"shell": "exit 3"}}, "needy": needy, "content": {**needy, **content}}
    async with prepared.client() as client:
        status = await prepared.result(client, dag(prepared, "optional", tasks))
    failures = {failure["task"]: failure for failure in status["failures"]}
    assert failures["make"]["reason"] == "Error" and failures["needy"]["reason"] == "ArtifactMissing"
    assert "spec.tasks.needy.artifacts.inputs.model.from: make made no artifact 'model'" in failures["needy"]["message"]
    assert "content" not in failures


async def test_a_task_with_artifacts_keeps_its_timeout_and_is_stopped_at_once(prepared: World) -> None:
    """Its pod may take minutes to store them; an attempt that times out has nothing to store."""
    sleep = {**MAKE, "gracePeriod": "1s", "command": ["sleep", "600"]}
    async with prepared.client() as client:
        run = await prepared.start(client, dag(prepared, "stopped", {"make": sleep}))
        await prepared.until(client, run, lambda status: status.get("phase") == "Running")
        await client.patch(RUNS, prepared.namespace, run, {"spec": {"desiredState": "Cancelled"}})
        assert (await prepared.finished(client, run))["phase"] == "Cancelled"
        late = {
            **sleep,
            "command": ["python3", "-c", "import signal, time; signal.signal(15, lambda *_: exit(0)); time.sleep(600)"],
        }
        status = await prepared.result(client, dag(prepared, "late", {"make": {**late, "timeout": "3s"}}))
    assert status["phase"] == "Failed" and why(status)[0] == "DeadlineExceeded"


# A bucket.


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store(tmp_path_factory.mktemp("s3")) as started:
        yield started


async def bucket(world: World, client: Client, server: ObjectStore, secret: str, **other: str) -> Body:
    """The store of a DAG, and its Secret."""
    host = "127.0.0.1"
    if world.name == "real":
        from cluster.settings import HOST_NAME

        host = HOST_NAME
    keys = {"accessKey": server.access, "secretKey": other.pop("key", server.secret)}
    await client.create(SECRETS, world.namespace, secret_of(secret, keys))
    about = {
        "endpoint": server.endpoint(host),
        "bucket": server.bucket,
        "prefix": "tests",
        "secretName": secret,
        **other,
    }
    return {"store": {"s3": about}}


@pytest.mark.e2e
@pytest.mark.timeout(600)  # the server is built the first time
async def test_a_bucket_carries_files_and_folders_and_only_its_containers_know_the_keys(
    reached: World, server: ObjectStore
) -> None:
    make = {
        "artifacts": {"outputs": {"model": {"path": "model.bin"}, "pages": {"path": "pages"}}},
        "script": {
            "shell": f'{WRITE}; mkdir "$TRADEWIND_ARTIFACTS/pages"; echo a > "$TRADEWIND_ARTIFACTS/pages/a"; ! env | grep -i secret'
        },
    }
    read = {
        **READ,
        "artifacts": {"inputs": {**READ["artifacts"]["inputs"], "pages": {"from": "make.pages", "path": "p"}}},
    }
    read["script"] = {"shell": f'test "$(cat "$TRADEWIND_ARTIFACTS/p/a")" = a; {READ["script"]["shell"]}'}
    async with reached.client() as client:
        store = await bucket(reached, client, server, "bucket")
        run = await reached.start(client, dag(reached, "through-a-bucket", {"make": make, "read": read}, store))
        status = await reached.finished(client, run)
        pods = orjson.dumps(await reached.pods(client, run)).decode()
    assert status["phase"] == "Succeeded", status
    assert status["outputs"]["read"] == {"text": "0123456789"}
    uri = status["outputs"]["make"]["artifacts"]["model"]["uri"]
    assert uri.startswith(f"s3://results/tests/{reached.namespace}/through-a-bucket/")
    assert (server.folder / uri.removeprefix("s3://results/")).read_text() == "0123456789"
    assert server.secret not in pods


@pytest.mark.e2e
@pytest.mark.timeout(600)
async def test_the_example_with_a_bucket_ends_as_it_should(reached: World, server: ObjectStore) -> None:
    example = yaml.safe_load(EXAMPLE.read_text())["spec"]
    async with reached.client() as client:
        store = await bucket(reached, client, server, example["artifacts"]["store"]["s3"]["secretName"])
        status = await reached.result(client, dag(reached, "artifacts-s3", example["tasks"], store))
    made = status["outputs"]["extract"]["artifacts"]["table"]
    assert status["outputs"]["total"] == {"total": sum(n * n for n in range(100_000)), "of": made["sha256"][:8]}


@pytest.mark.e2e
@pytest.mark.timeout(600)
async def test_a_bucket_that_refuses_fails_the_attempt_with_its_words(reached: World, server: ObjectStore) -> None:
    tasks = {"make": {**MAKE, "script": {"shell": WRITE}}}
    async with reached.client() as client:
        wrong = await bucket(reached, client, server, "wrong", key="wrong")
        status = await reached.result(client, dag(reached, "wrong-key", tasks, wrong))
        assert why(status)[0] == "ArtifactError" and "403 SignatureDoesNotMatch" in why(status)[1]
        nowhere = await bucket(reached, client, server, "nowhere", bucket="nowhere")
        status = await reached.result(client, dag(reached, "no-bucket", tasks, nowhere))
        assert why(status)[0] == "ArtifactError" and "there is no bucket 'nowhere'" in why(status)[1]


async def test_a_secret_that_is_not_there_is_named_while_the_task_waits_for_it(prepared: World) -> None:
    about = {"endpoint": "http://127.0.0.1:9", "bucket": "b", "secretName": "not-yet"}
    tasks = {"make": {**MAKE, "script": {"shell": WRITE}, "pendingTimeout": "5s"}}
    async with prepared.client() as client:
        status = await prepared.result(client, dag(prepared, "no-secret", tasks, {"store": {"s3": about}}))
    assert why(status)[0] == "ConfigError" and '"not-yet" not found' in why(status)[1]
