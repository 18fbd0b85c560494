"""Which cluster is chosen where."""

from pathlib import Path

import pytest

from cluster.given import Given
from cluster.provider import Unavailable, choose
from cluster.selfmade import SelfMade


def test_nothing_possible_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("shutil.which", lambda *_: None)
    chosen = choose()
    assert isinstance(chosen, Unavailable)
    assert chosen.reason.endswith("needs root")
    assert "\n" not in chosen.reason


def test_given_cluster_is_taken_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    chosen = choose()
    assert isinstance(chosen, Given)
    assert chosen.kubeconfig == tmp_path / "config"


def test_what_up_printed_leads_back_to_who_printed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda name, *_: f"/usr/bin/{name}")
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setenv("KUBECONFIG", str(SelfMade().kubeconfig))
    assert isinstance(choose(), SelfMade)
