"""Where a process finds its cluster: the service account of its pod, or the user's kubeconfig."""

import subprocess
import sys
from pathlib import Path

import pytest
from tradewind.kube.connection import NoCluster, connect, in_cluster


def test_a_pod_uses_its_service_account_and_follows_the_rotation_of_its_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {"token": "first\n", "namespace": "team\n", "ca.crt": ""}.items():
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "6443")
    found = in_cluster(tmp_path)
    assert (found.server, found.namespace, found.ca_path) == (
        "https://[fd00::1]:6443",
        "team",
        str(tmp_path / "ca.crt"),
    )
    assert found.authorization() == "Bearer first"
    (tmp_path / "token").write_text("second")
    assert found.authorization() == "Bearer second"


def test_without_either_the_way_on_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoCluster, match="set KUBECONFIG, or run a DAG here"):
        connect(str(tmp_path / "none"))


def test_an_operator_in_a_cluster_does_not_load_what_only_a_kubeconfig_needs() -> None:
    program = "import sys, tradewind.control.manager.manager; print('tradewind.kube.kubeconfig' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "False"
