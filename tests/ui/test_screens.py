"""Every screen, in both themes: accessible, within the policy, the same after a reload and by the back button."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from ui.answers import World
from ui.conftest import Server, Visit, visiting

pytestmark = pytest.mark.browser
RUN = "/runs/people/leave-forecast-28400000"
FAILED = "/runs/people/payroll-check-28398002"
DAG = "/dags/people/leave-forecast"
SCREENS = {
    "overview": "/",
    "runs": "/runs",
    "runs-of-one": "/runs?ns=people&phase=Failed",
    "run": RUN,
    "run-graph": f"{RUN}?view=graph&task=train",
    "run-table": f"{RUN}?view=table",
    "run-why": f"{FAILED}?task=extract-leave",
    "run-log": f"{FAILED}?task=extract-leave&tab=log",
    "run-attempts": f"{FAILED}?task=extract-leave&tab=attempts",
    "run-values": f"{FAILED}?task=extract-leave&tab=values",
    "run-pod": f"{FAILED}?task=extract-leave&tab=pod",
    "run-yaml": f"{RUN}?about=yaml",
    "dags": "/dags",
    "dag": DAG,
    "dag-graph": f"{DAG}?tab=graph",
    "dag-runs": f"{DAG}?tab=runs",
    "dag-trends": f"{DAG}?tab=trends",
    "dag-code": f"{DAG}?tab=code&revision=14&against=13",
    "dag-triggers": f"{DAG}?tab=triggers",
    "dag-start": f"{DAG}?start=1",
    "approvals": "/approvals",
    "triggers": "/triggers",
    "backfills": "/backfills",
    "pools": "/pools",
    "assets": "/assets",
    "health": "/health",
    "compare": f"/compare{RUN.removeprefix('/runs')}/previous",
    "nowhere": "/nowhere",
    "gone": "/runs/people/gone",
}
SERIOUS = """async (rules) => {
  const found = await axe.run(document, {resultTypes: ["violations"], ...(rules ? {runOnly: rules} : {})});
  return found.violations
    .filter((one) => one.impact === "serious" || one.impact === "critical")
    .map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`);
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_screens_are_accessible_and_within_the_policy(browser: Browser, server: Server, theme: str) -> None:
    wrong: list[str] = []
    rules = None if theme == "light" else ["color-contrast"]  # All else is the same in both.
    with visiting(browser, color_scheme=theme) as visit:
        for name, path in SCREENS.items():
            page = visit.to(server.address + path)
            wrong += [f"{name}: {what}" for what in page.evaluate(SERIOUS, rules)]
            wrong += [f"{name}: {what}" for what in (*visit.violations(), *visit.errors)]
        wrong += [url for url in visit.requests if not url.startswith((server.address, "data:"))]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", SCREENS)
def test_a_reload_and_the_back_button_show_the_same(visit: Visit, server: Server, name: str) -> None:
    page = visit.to(server.address + SCREENS[name])
    text = page.locator("main").inner_text()
    page.reload()
    visit.settle()
    assert _steady(page.locator("main").inner_text()) == _steady(text)
    address = page.url
    if "start=1" in address:
        return  # The dialog is in front of the navigation.
    page.locator("nav.nav a").nth(0 if name != "overview" else 1).click()
    visit.until("(before) => location.href !== before", address)
    visit.settle()
    page.go_back()
    visit.until("(before) => location.href === before", address)
    visit.settle()
    visit.until("(n) => document.querySelector('main').innerText.length > n", len(text) * 0.8)
    assert page.url == address and visit.errors == []


def _steady(text: str) -> str:
    """Without what ticks: ages and durations."""
    return "".join(letter for letter in text if not letter.isdigit())[:400]


@pytest.mark.parametrize("path", ["/", "/runs", "/dags", "/approvals", "/triggers", "/backfills", "/pools", "/assets"])
def test_an_empty_screen_says_what_to_do_next(visit: Visit, serve: Callable[[World], Server], path: str) -> None:
    world = World()
    world.empty = True
    page = visit.to(serve(world).address + path)
    expect(page.locator(".empty-title").first).to_be_visible()
    assert page.locator(".empty-todo").first.inner_text().strip()
    assert page.evaluate(SERIOUS, None) == []


def test_what_is_loaded_first_is_small(built: Path) -> None:
    manifest = json.loads((built / "manifest.json").read_text())

    def needed(name: str) -> set[str]:
        entry = manifest[name]
        return {entry["file"]}.union(*(needed(other) for other in entry.get("imports", [])))

    sizes = {file: (built / f"{file}.gz").stat().st_size for file in needed("index.html")}
    assert 10_000 < sum(sizes.values()) <= 70_000, sizes


def test_words_are_french_for_whoever_wants_them(browser: Browser, server: Server) -> None:
    with visiting(browser, color_scheme="light") as visit:
        page = visit.to(server.address + "/")
        page.get_by_role("button", name="Settings").click()
        page.get_by_role("button", name="Français").click()
        expect(page.get_by_role("link", name="Exécutions", exact=True)).to_be_visible()
        assert page.locator("html").get_attribute("lang") == "fr"
        page.reload()
        expect(page.get_by_role("link", name="Exécutions", exact=True)).to_be_visible()


def test_a_run_of_ten_thousand_items_has_few_elements(visit: Visit, serve: Callable[[World], Server]) -> None:
    page = visit.to(serve(World(items=10_000)).address + RUN)
    tree = page.get_by_role("tree", name="Tasks")
    tree.locator(".tree-row").filter(has=page.get_by_text("train", exact=True)).locator(".tree-toggle").click()
    expect(tree.get_by_text("region 3", exact=True)).to_be_visible()  # the failed one is first
    assert page.evaluate("document.querySelectorAll('*').length") < 1_500
    tree.focus()
    page.keyboard.press("End")
    expect(tree.locator(".tree-row").last).to_be_visible()
    assert page.evaluate("document.querySelectorAll('*').length") < 1_500
