"""A user's kubeconfig: several files, certificates next to it or in it, tokens, and programs that return credentials."""

import base64
import json
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tradewind.kube.connection import NoCluster, connect
from tradewind.kube.credentials import Plugin, Unproven
from tradewind.kube.kubeconfig import Files, Unusable, access

V1 = "client.authentication.k8s.io/v1"


def config(folder: Path, user: dict[str, Any], cluster: dict[str, Any] | None = None, name: str = "config") -> str:
    """A kubeconfig with one context `c`."""
    body = {
        "current-context": "c",
        "clusters": [{"name": "k", "cluster": {"server": "https://k.example:6443/", **(cluster or {})}}],
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "shop"}}],
        "users": [{"name": "u", "user": user}],
    }
    path = folder / name
    path.write_text(yaml.safe_dump(body))
    return str(path)


def program(folder: Path, *answers: dict[str, Any] | str, name: str = "plugin") -> Path:
    """A plug-in that returns these answers, one per call, the last one forever; it records its input."""
    texts = [answer if isinstance(answer, str) else json.dumps({"status": answer}) for answer in answers]
    path = folder / name
    path.write_text(
        f"#!{sys.executable}\nimport os, sys, pathlib\nhere = pathlib.Path({str(folder)!r})\n"
        "told = here / 'told'\nwith told.open('a') as out: out.write(os.environ['KUBERNETES_EXEC_INFO'] + '\\n')\n"
        f"texts = {texts!r}\nat = len(told.read_text().splitlines()) - 1\n"
        "(here / 'args').write_text(' '.join(sys.argv[1:]) + os.environ.get('MORE', ''))\n"
        "text = texts[min(at, len(texts) - 1)]\nsys.exit(3) if text == 'fail' else print(text)\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def told(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "told").read_text().splitlines()]


@pytest.mark.parametrize(
    ("user", "header"),
    [
        ({"token": "t"}, "Bearer t"),
        ({"username": "me", "password": "pw"}, f"Basic {base64.b64encode(b'me:pw').decode()}"),
        ({}, None),
    ],
)
def test_what_is_written_down_is_shown(tmp_path: Path, user: dict[str, Any], header: str | None) -> None:
    found = connect(config(tmp_path, user))
    assert (found.server, found.namespace, found.authorization()) == ("https://k.example:6443", "shop", header)


def test_a_token_of_a_file_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("one\n")
    found = connect(config(tmp_path, {"tokenFile": "token"}))
    assert found.authorization() == "Bearer one"
    (tmp_path / "token").write_text("two")
    assert found.authorization() == "Bearer two"


def test_certificates_stand_beside_the_file_or_in_it(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("CA")
    data = {f"client-{part}-data": base64.b64encode(part.encode()).decode() for part in ("certificate", "key")}
    files = Files()
    found = access(config(tmp_path, data, {"certificate-authority": "ca.crt"}), None, files)
    assert found.ca_path == str(tmp_path / "ca.crt") and found.certificate_path and found.private_key_path
    assert Path(found.certificate_path).read_text() == "certificate"
    assert Path(found.private_key_path).read_text() == "key"
    assert stat.S_IMODE(Path(found.private_key_path).parent.stat().st_mode) == 0o700, "a key is the user's alone"


def test_of_several_files_the_first_one_that_says_something_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    first, second = config(tmp_path, {"token": "first"}), config(other, {"token": "second"}, name="more")
    body = yaml.safe_load(Path(second).read_text())
    body["contexts"].append({"name": "d", "context": {"cluster": "k2"}})
    (other / "ca.crt").write_text("CA")
    body["clusters"].append({"name": "k2", "cluster": {"server": "https://2", "certificate-authority": "ca.crt"}})
    Path(second).write_text(yaml.safe_dump(body))
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'none'}:{first}:{second}")
    assert connect().authorization() == "Bearer first"
    found = connect(None, "d")
    assert (found.server, found.namespace, found.ca_path) == ("https://2", "default", str(other / "ca.crt"))
    assert found.authorization() is None


def test_a_plug_in_is_asked_until_its_answer_is_out_of_date(tmp_path: Path) -> None:
    past, future = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"
    answers = ({"token": "old", "expirationTimestamp": past}, {"token": "new", "expirationTimestamp": future})
    program(tmp_path, *answers)
    spec = {"apiVersion": V1, "command": "./plugin", "args": ["get", "token"], "env": [{"name": "MORE", "value": "!"}]}
    found = connect(config(tmp_path, {"exec": {**spec, "interactiveMode": "Never"}}))
    assert [found.authorization() for _ in range(3)] == ["Bearer new"] * 3
    assert [item["spec"] for item in told(tmp_path)] == [{"interactive": False}] * 2
    assert (tmp_path / "args").read_text() == "get token!"


def test_a_plug_in_that_fails_later_leaves_it_to_the_api_server(tmp_path: Path) -> None:
    program(tmp_path, {"token": "old", "expirationTimestamp": "2020-01-01T00:00:00Z"}, "fail")
    found = connect(config(tmp_path, {"exec": {"apiVersion": V1, "command": "./plugin", "interactiveMode": "Never"}}))
    assert found.authorization() == "Bearer old"


def test_a_plug_in_may_give_a_certificate_and_be_told_of_the_cluster(tmp_path: Path) -> None:
    program(tmp_path, {"clientCertificateData": "CERT", "clientKeyData": "KEY"})
    (tmp_path / "ca.crt").write_text("CA")
    extension = [{"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}]
    cluster = {"certificate-authority": "ca.crt", "extensions": extension}
    spec = {"apiVersion": V1, "command": "./plugin", "provideClusterInfo": True, "interactiveMode": "Never"}
    found = connect(config(tmp_path, {"exec": spec}, cluster))
    assert found.certificate_path and Path(found.certificate_path).read_text() == "CERT"
    assert found.authorization() is None
    [info] = told(tmp_path)
    assert info["apiVersion"] == V1 and info["spec"]["cluster"] == {
        "server": "https://k.example:6443/",
        "certificate-authority-data": base64.b64encode(b"CA").decode(),
        "config": {"audience": "x"},
    }


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("fail", "failed with exit code 3"),
        ("no json", "did not print an ExecCredential"),
        ("[]", "did not print an ExecCredential"),
        ({"token": "t", "expirationTimestamp": "soon"}, "did not print an ExecCredential"),
        ({}, "gave neither a token nor a certificate"),
    ],
)
def test_a_plug_in_that_gives_nothing_is_named(tmp_path: Path, answer: Any, words: str) -> None:
    program(tmp_path, answer)
    with pytest.raises(NoCluster, match=words):
        connect(config(tmp_path, {"exec": {"apiVersion": V1, "command": "./plugin", "interactiveMode": "Never"}}))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (
            {"apiVersion": V1, "command": "no-such-plugin", "installHint": "brew install it"},
            "is not there: brew install it",
        ),
        ({"apiVersion": "client.authentication.k8s.io/v1alpha1", "command": "x"}, "is not known: write client"),
    ],
)
def test_a_plug_in_that_can_not_be_used_is_named(tmp_path: Path, spec: dict[str, Any], words: str) -> None:
    with pytest.raises(Unproven, match=words):
        Plugin(spec, tmp_path, {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no current-context"),
        ("[]", "not a mapping"),
        ("a: 1\nb: c: d\n", "config can't be read: it is not YAML, line 2$"),
        ("current-context: c", "has no context 'c'; there are: none"),
        ("{current-context: c, contexts: [{name: c, context: {cluster: k}}]}", "has no cluster 'k'"),
        ("{current-context: c, contexts: [c]}", "entries need a name and `context`"),
        (
            "{current-context: c, contexts: [{name: c, context: {cluster: k}}], clusters: [{name: k, cluster: {}}]}",
            "cluster 'k' of the kubeconfig has no server",
        ),
    ],
)
def test_what_is_wrong_with_it_is_said(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(Unusable, match=words):
        access(str(tmp_path / "config"), None)


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ({"auth-provider": {"name": "oidc"}}, "auth-provider 'oidc' is not supported: use a credential plug-in"),
        ({"client-certificate-data": "%%%"}, "client-certificate-data of the kubeconfig is not base64"),
        ({"client-key": "none.key"}, "none.key, which the kubeconfig names, can't be read"),
    ],
)
def test_what_is_wrong_with_a_user_is_said(tmp_path: Path, user: dict[str, Any], words: str) -> None:
    with pytest.raises(Unusable, match=words):
        access(config(tmp_path, user), None, Files())


@pytest.mark.parametrize(
    ("user", "cluster", "words"),
    [
        ({"exec": 5}, {}, "user 'u' of the kubeconfig: exec is not a mapping"),
        ({"auth-provider": 5}, {}, "auth-provider is not a mapping"),
        ({"tokenFile": 5}, {}, "tokenFile is not text"),
        ({"token": "a\nb"}, {}, "token has more than one line"),
        ({}, {"certificate-authority": 5}, "cluster 'k' of the kubeconfig: certificate-authority is not text"),
        ({}, {"extensions": 7}, "extensions is not a list"),
        ({}, {"server": "http://[::1"}, "server is not an address"),
    ],
)
def test_values_of_other_types_are_named(tmp_path: Path, user: Any, cluster: Any, words: str) -> None:
    with pytest.raises(Unusable, match=words):
        access(config(tmp_path, user, cluster), None, Files())


@pytest.mark.parametrize(("text", "words"), [("clusters: 5", "is not a list"), ("a: " + "[" * 5000, "nested too deep")])
def test_files_of_another_shape_are_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(Unusable, match=words):
        access(str(tmp_path / "config"), None)
