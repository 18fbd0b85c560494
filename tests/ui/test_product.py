"""The UI on the real server, which `tradewind dev --ui` brings: what the stand-in can't show."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, expect

from ui.conftest import ROOT, Visit, visiting

pytestmark = pytest.mark.browser
TASKS = {
    "load": {"command": ["sh", "-c", "echo connecting; echo '::error::table orders is missing'; exit 3"]},
    "each": {"command": ["sh", "-c", "echo done"], "forEach": {"range": {"stop": 6}}},
    "ask": {"approval": {"message": "Publish the orders?"}, "dependsOn": ["each"]},
    "report": {"command": ["sh", "-c", "echo hi"], "dependsOn": ["load", "ask"]},
}
DAG = {
    "apiVersion": "tradewind.dev/v1alpha1",
    "kind": "DAG",
    "metadata": {"name": "orders"},
    "spec": {
        "description": "Orders of the day.",
        "params": {"days": {"type": "integer", "default": 3, "min": 1, "max": 9}},
        "defaults": {"image": "x"},
        "tasks": TASKS,
    },
}
COMMAND = [sys.executable, "-m", "tradewind.cli"]


@dataclass
class Product:
    process: subprocess.Popen[str]
    link: str
    """With the token."""
    kubeconfig: Path

    @property
    def address(self) -> str:
        return self.link.partition("/#")[0]

    def run(self, *arguments: str) -> str:
        """A command's output."""
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        done = subprocess.run([*COMMAND, *arguments], env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def product(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    folder = tmp_path_factory.mktemp("product")
    command = [*COMMAND, "dev", "--ui", "--no-browser", "--write-kubeconfig", str(folder / "kubeconfig")]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(command, cwd=folder, **pipes) as process:  # type: ignore[call-overload]
        said = ""
        for line in process.stdout:
            said += line
            if found := re.search(r"http://\S+/#token=\S+", line):
                break
        else:
            pytest.fail(f"no address: {said}")
        product = Product(process, found[0], folder / "kubeconfig")
        (folder / "dag.yaml").write_text(yaml.safe_dump(DAG))
        product.run("apply", "-f", str(folder / "dag.yaml"), "-f", str(ROOT / "examples/trigger-assets.yaml"))
        yield product
        process.terminate()


@pytest.fixture
def signed(browser: Browser, product: Product) -> Iterator[Visit]:
    """A page that has traded the link's token for a cookie."""
    with visiting(browser, color_scheme="light") as visit:
        visit.to(product.link)
        yield visit
        assert visit.errors == [] and visit.violations() == []


def test_without_the_token_the_page_says_how_to_get_a_link(browser: Browser, product: Product) -> None:
    with visiting(browser) as visit:
        visit.page.goto(f"{product.address}/runs")
        expect(visit.page.get_by_role("heading", level=1)).to_contain_text("needs a link")
        expect(visit.page.locator("main")).to_contain_text("tradewind ui")


def test_a_run_is_started_followed_decided_and_retried(signed: Visit, product: Product) -> None:
    page = signed.to(f"{product.address}/dags/default/orders")
    page.get_by_role("button", name="Start a run").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("days").fill("12")
    expect(dialog.locator("[aria-invalid=true]")).to_be_visible(timeout=30_000)
    dialog.get_by_label("days").fill("5")
    expect(dialog).to_contain_text("days: 5", timeout=30_000)
    dialog.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url("**/runs/default/orders-*")

    tree = page.get_by_role("tree", name="Tasks")
    load = tree.locator(".tree-row").filter(has=page.get_by_text("load", exact=True))
    expect(load.get_by_role("img", name="Failed")).to_be_visible(timeout=60_000)
    load.locator(".tree-name").click()
    panel = page.get_by_role("region", name="load")
    expect(panel).to_contain_text("exit code 3")
    panel.get_by_role("tab", name="Log").click()
    expect(panel.get_by_role("log")).to_contain_text("table orders is missing", timeout=30_000)
    panel.get_by_role("tab", name="Attempts").click()
    expect(panel).to_contain_text("counts as a failure")

    expect(page.get_by_role("link", name="Approvals 1")).to_be_visible(timeout=60_000)
    page.get_by_role("link", name="Approvals 1").click()
    page.get_by_role("button", name="Approve").click()
    page.get_by_role("dialog").get_by_role("button", name="Approve").click()
    expect(page.locator(".empty-title")).to_have_text("Nothing waits for a decision", timeout=30_000)

    page.go_back()
    expect(page.locator(".page-head .state")).to_have_text("Failed", timeout=60_000)
    page.get_by_role("button", name="Retry failed").click()
    expect(page.get_by_role("dialog")).to_contain_text("tradewind retry", timeout=30_000)
    page.get_by_role("dialog").get_by_role("button", name="Retry failed").click()
    page.get_by_role("tab", name="Attempts").click()
    expect(page.get_by_role("region", name="load").locator("tbody tr")).to_have_count(2, timeout=60_000)


def test_every_screen_of_the_real_server_is_within_the_policy(signed: Visit, product: Product) -> None:
    run = product.run("run", "orders").strip().split()[-1]
    paths = ["/", "/runs", "/dags", "/approvals", "/triggers", "/backfills", "/pools", "/assets", "/health"]
    paths += [f"/dags/default/orders?tab={tab}" for tab in ("grid", "graph", "runs", "trends", "code", "triggers")]
    paths += [f"/runs/default/{run}", f"/runs/default/{run}?view=graph", f"/runs/default/{run}?task=load&tab=pod"]
    for path in paths:
        page = signed.to(product.address + path)
        expect(page.locator("main")).not_to_be_empty()
        assert page.locator("main .trouble").count() == 0, (path, page.locator("main").inner_text())
        assert signed.violations() == []
    page = signed.to(f"{product.address}/runs/default/{run}")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export").click()
    assert run in Path(download.value.path()).read_text()


def test_search_finds_what_has_a_name(signed: Visit, product: Product) -> None:
    page = signed.page
    expect(page.locator("main")).not_to_be_empty()  # The page hears keys from then on.
    page.keyboard.press("Control+k")
    page.get_by_role("dialog").get_by_role("combobox").fill("trigger-ass")
    expect(page.get_by_role("dialog").get_by_role("option").first).to_contain_text("trigger-assets", timeout=30_000)
    page.keyboard.press("Enter")
    page.wait_for_url("**/dags/default/trigger-assets")
