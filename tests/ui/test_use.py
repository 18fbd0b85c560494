"""The UI as people use it: following, acting, by keyboard, with the server gone, with hostile text."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from ui.answers import World
from ui.conftest import Server, Visit
from ui.test_screens import DAG, FAILED, RUN, SCREENS

pytestmark = pytest.mark.browser
HOSTILE = (
    "<script>globalThis.caught = 1</script>"
    "<img src=x onerror='globalThis.caught = 2'>"
    "\x1b[31mred\x1b]8;;javascript:globalThis.caught=3\x07link\x1b]8;;\x07"
    " javascript:globalThis.caught=4 \u202egnp.exe\u202c \u200b\x00 \ud800 {{nonce}} ${7*7} __proto__ constructor"
)


def test_changes_appear_by_themselves(visit: Visit, server: Server) -> None:
    page = visit.to(f"{server.address}/runs?ns=people")
    row = page.get_by_role("row").filter(has_text="leave-forecast-28400000")
    expect(row).to_contain_text("Running")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    run = next(run for run in server.world.runs if run["name"] == "leave-forecast-28400000")
    run.update(phase="Succeeded", seconds=1300, finished=server.world.now)
    server.tell("runs:people")
    expect(row).to_contain_text("Succeeded")


def test_nothing_moves_under_the_pointer(visit: Visit, server: Server) -> None:
    page = visit.to(f"{server.address}/runs")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    first = page.locator("tbody tr").first
    before = first.inner_text().split()[1]
    first.hover()
    newest = {**server.world.runs[0], "name": "brand-new", "uid": "new", "created": server.world.now}
    server.world.runs.insert(0, newest)
    server.tell("runs:")
    pill = page.get_by_role("button", name="1 new")
    expect(pill).to_be_visible()
    assert before in page.locator("tbody tr").first.inner_text()
    pill.click()
    expect(page.locator("tbody tr").first).to_contain_text("brand-new")


def test_a_page_outlives_its_server(visit: Visit, server: Server) -> None:
    page = visit.to(server.address + RUN)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    server.stop()
    expect(page.get_by_text("Disconnected")).to_be_visible()
    expect(page.get_by_role("heading", name="leave-forecast-28400000")).to_be_visible()
    page.get_by_role("link", name="Pools").click()
    expect(page.get_by_role("alert").first).to_contain_text("The server does not answer")
    server.start()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    expect(page.get_by_role("heading", name="gpu")).to_be_visible()
    assert visit.errors == []


def test_a_link_with_a_token_is_traded_for_a_cookie_and_leaves_no_trace(visit: Visit, server: Server) -> None:
    page = visit.to(f"{server.address}/runs#token=secret")
    assert page.url == f"{server.address}/runs"
    assert not any("secret" in url for url in visit.requests)


def test_the_title_and_the_focus_follow_the_screen(visit: Visit, server: Server) -> None:
    page = visit.to(f"{server.address}/runs")
    expect(page).to_have_title("Runs · Tradewind")
    page.get_by_role("link", name="leave-forecast-28400000").click()
    expect(page).to_have_title("leave-forecast-28400000 · Tradewind")
    assert page.evaluate("document.activeElement.id") == "main"


def test_an_action_shows_what_it_will_do_before_it_does_it(visit: Visit, server: Server) -> None:
    page = visit.to(server.address + FAILED)
    page.get_by_role("button", name="Retry failed").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("extract-leave: runs again")
    expect(dialog).to_contain_text("outputs of features: rows")
    expect(dialog).to_contain_text("kubectl tradewind retry payroll-check-28398002 -n people")
    assert server.posted == []
    dialog.get_by_label("Reason").fill("sums are right now")
    dialog.get_by_role("button", name="Retry failed").click()
    expect(dialog).to_be_hidden()
    wanted = {"action": "retry", "reason": "sums are right now", "version": "77"}
    assert server.posted == [(f"{FAILED.strip('/')}/actions", wanted)]


def test_a_run_is_started_by_a_form_made_of_the_params(visit: Visit, server: Server) -> None:
    page = visit.to(server.address + DAG)
    page.get_by_role("button", name="Start a run").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Horizon").fill("0")
    expect(dialog).to_contain_text("0 is less than the minimum of 1")
    dialog.get_by_label("Horizon").fill("7")
    dialog.get_by_label("regions").fill("north")
    expect(dialog.get_by_role("alert")).to_be_hidden()
    dialog.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url("**/runs/people/leave-forecast-by-hand")
    [(path, body)] = server.posted
    assert path == "dags/people/leave-forecast/runs" and body["params"] == {"horizon": 7, "regions": ["north"]}


def test_a_run_is_started_again_with_the_same_params(visit: Visit, server: Server) -> None:
    page = visit.to(server.address + RUN)
    page.get_by_role("link", name="Start again").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("regions")).to_have_value("north\nsouth\nwest\neast")
    dialog.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url("**/runs/people/leave-forecast-by-hand")
    [(path, body)] = server.posted
    wanted = {"regions": ["north", "south", "west", "east"], "note": "nightly"}
    assert path == "dags/people/leave-forecast/runs" and body["params"] == wanted


def test_an_approval_is_decided_with_its_answers(visit: Visit, server: Server) -> None:
    page = visit.to(f"{server.address}/approvals")
    page.get_by_role("button", name="Approve").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Audience").select_option("leads")
    expect(dialog).to_contain_text("kubectl tradewind approve")
    dialog.get_by_role("button", name="Approve").click()
    expect(dialog).to_be_hidden()
    wanted = {"approve": True, "reason": "", "inputs": {"audience": "leads"}}
    assert server.posted == [("approvals/people/leave-forecast-sign-off", wanted)]


def test_an_answer_that_is_refused_can_not_be_sent(visit: Visit, server: Server) -> None:
    page = visit.to(f"{server.address}/approvals")
    page.get_by_role("button", name="Approve").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("kubectl tradewind approve")
    dialog.get_by_label("Rows").fill("abc")
    expect(dialog.get_by_role("alert")).to_contain_text("it is not an integer")
    expect(dialog).not_to_contain_text("kubectl tradewind approve")
    expect(dialog.get_by_role("button", name="Approve")).to_be_disabled()
    dialog.get_by_label("Rows").fill("5")
    expect(dialog.get_by_role("button", name="Approve")).to_be_enabled()
    expect(dialog).to_contain_text("kubectl tradewind approve")


@pytest.mark.parametrize("task", ["", "sign-off"])
def test_an_approval_is_decided_where_its_run_is_shown(visit: Visit, server: Server, task: str) -> None:
    if task:
        page = visit.to(f"{server.address}{RUN}?task={task}")
        place = page.get_by_role("region", name=task)
    else:
        page = visit.to(f"{server.address}/")
        page.get_by_role("link", name="Publish the forecast?").click()
        page.wait_for_url(f"**{RUN}")
        place = page.locator("main")
    place.get_by_role("list", name="Needs a decision").get_by_role("button", name="Reject").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("kubectl tradewind approve")
    dialog.get_by_role("button", name="Reject").click()
    expect(dialog).to_be_hidden()
    wanted = {"approve": False, "reason": "", "inputs": {}}
    assert server.posted == [("approvals/people/leave-forecast-sign-off", wanted)]


def test_a_run_that_asks_nothing_has_no_buttons_of_approvals(visit: Visit, server: Server) -> None:
    page = visit.to(server.address + FAILED)
    expect(page.get_by_role("button", name="Retry failed")).to_be_visible()
    assert page.get_by_role("button", name="Approve").count() == 0


@pytest.mark.parametrize("tab", ["why", "log", "attempts", "values", "pod"])
def test_a_fan_out_leads_to_its_items_failed_ones_first(visit: Visit, server: Server, tab: str) -> None:
    page = visit.to(f"{server.address}{RUN}?task=train&tab={tab}")
    items = page.get_by_role("region", name="Items")
    expect(items).to_contain_text("logs, attempts and inputs are those of its items")
    assert "No log yet" not in page.locator("main").inner_text()
    links = items.get_by_role("listitem")
    expect(links).to_have_count(24)
    expect(links.first).to_contain_text("train[3]")
    links.first.get_by_role("button").click()
    expect(page.get_by_role("region", name="train[3]")).to_be_visible()
    row = page.get_by_role("tree", name="Tasks").locator("[aria-selected=true]")
    expect(row).to_contain_text("region 3")


def test_the_items_of_a_large_fan_out_are_not_all_listed(visit: Visit, serve: Callable[[World], Server]) -> None:
    page = visit.to(f"{serve(World(items=10_000)).address}{RUN}?task=train")
    items = page.get_by_role("region", name="Items")
    expect(items.get_by_role("listitem")).to_have_count(50)
    expect(items).to_contain_text("and 9,950 more")


def test_a_link_to_an_item_opens_its_fan_out(visit: Visit, server: Server) -> None:
    page = visit.to(f"{server.address}{RUN}?task=train%5B20%5D")
    row = page.get_by_role("tree", name="Tasks").locator("[aria-selected=true]")
    expect(row).to_contain_text("region 20")
    expect(row).to_be_in_viewport()


def test_times_in_sentences_are_in_the_zone_of_the_reader(visit: Visit, server: Server) -> None:
    page = visit.to(f"{server.address}/runs")
    expect(page.locator("main")).to_contain_text("waits until 1 Dec, 12:58")
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="UTC").click()
    expect(page.locator("main")).to_contain_text("waits until 1 Dec, 11:58")


def test_what_has_ended_or_is_due_is_not_said_to_come_or_to_be_past(visit: Visit, server: Server) -> None:
    page = visit.to(server.address + FAILED)
    expect(page.get_by_role("region", name="About this run")).to_contain_text("None.")
    page = visit.to(f"{server.address}/triggers")
    expect(page.get_by_role("row").filter(has_text="hourly")).to_contain_text("due now")


def test_the_end_of_an_attempt_is_told_once(visit: Visit, server: Server) -> None:
    page = visit.to(f"{server.address}{FAILED}?task=extract-leave&tab=attempts")
    row = page.get_by_role("table", name="Attempts").get_by_role("row").nth(1)
    expect(row).to_contain_text("Error: exit code 3: relation")
    assert row.inner_text().count("exit code 3") == 1


def test_everything_can_be_reached_by_keys(visit: Visit, server: Server) -> None:
    page = visit.to(f"{server.address}/")
    page.keyboard.press("g")
    page.keyboard.press("r")
    page.wait_for_url("**/runs")
    visit.settle()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/runs/.+/.+"))
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("Control+k")
    page.keyboard.type("stock")
    expect(page.get_by_role("dialog").get_by_role("option").first).to_contain_text("stock-sync")
    page.keyboard.press("Enter")
    page.wait_for_url("**/dags/shop/stock-sync")


def test_the_tree_the_graph_and_the_grid_are_walked_by_keys(visit: Visit, server: Server) -> None:
    page = visit.to(server.address + FAILED)
    page.get_by_role("tree", name="Tasks").focus()
    for key in ("Home", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_role("region", name="extract-leave")).to_be_visible()
    page = visit.to(f"{server.address}{RUN}?view=graph")
    page.get_by_role("tree").focus()
    for key in ("Home", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url("**task=*")
    page = visit.to(server.address + DAG)
    page.get_by_role("grid").focus()
    for key in ("End", "ArrowLeft", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    page.wait_for_url("**/runs/people/leave-forecast-*task=*")


def test_a_log_is_searched_and_jumps_to_its_first_error(visit: Visit, server: Server) -> None:
    page = visit.to(f"{server.address}{FAILED}?task=extract-leave&tab=log")
    log = page.get_by_role("log")
    expect(log).to_contain_text("region north")
    assert page.locator(".log-line .ansi-green").first.inner_text() == "ok"
    expect(log).to_contain_text("100 % written")
    assert "50 %" not in log.inner_text()
    page.get_by_label("Find in the log").fill("batch 399")
    expect(page.get_by_text("1 hit", exact=True)).to_be_visible()
    page.keyboard.press("Enter")
    expect(log).to_contain_text("batch 399 of 400")
    page.get_by_role("button", name="First error").click()
    expect(log).to_contain_text("does not exist")


def test_hostile_text_stays_text(visit: Visit, serve: Callable[[World], Server]) -> None:
    world = World(text=lambda text: text + HOSTILE)
    server = serve(world)
    run, failed = (
        next(run for run in world.runs if run["phase"] == phase and run["name"].startswith(start))
        for phase, start in (("Running", "leave"), ("Failed", "payroll"))
    )
    wrong: list[str] = []
    for name, path in SCREENS.items():
        page = visit.to(f"{server.address}/")
        page.evaluate(
            "(path) => { history.pushState(null, '', path); dispatchEvent(new PopStateEvent('popstate')) }",
            _address(path, run, failed),
        )
        visit.settle()
        page.wait_for_load_state("networkidle")
        wrong += [f"{name}: {what}" for what in (*visit.violations(), *visit.errors)]
        wrong += [f"{name}: caught {page.evaluate('globalThis.caught')}"] * page.evaluate("'caught' in globalThis")
        for link in page.evaluate("[...document.links].map((link) => link.href)"):
            wrong += [f"{name}: {link}"] * (not link.startswith(("http://", "https://")))
        shown = page.locator("main").inner_text()
        wrong += [f"{name}: hidden marks"] * ("\u202e" in shown or "\x00" in shown)
        visit.errors.clear()
    assert wrong == []
    page = visit.to(f"{server.address}/runs")
    expect(page.locator("main")).to_contain_text("<script>")
    expect(page.locator("main")).to_contain_text("⟨U+202E⟩")


def _address(path: str, run: dict[str, Any], failed: dict[str, Any]) -> str:
    """The screen's address with the names that the hostile world has."""
    from urllib.parse import quote

    def quoted(text: str) -> str:
        return quote(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"), safe="")

    for plain, name in (
        ("leave-forecast-28400000", run["name"]),
        ("payroll-check-28398002", failed["name"]),
        ("leave-forecast", "leave-forecast" + HOSTILE),
    ):
        if plain in path:
            return path.replace(plain, quoted(name))
    return path


def test_a_line_of_a_megabyte_does_not_hurt(visit: Visit, serve: Callable[[World], Server]) -> None:
    world = World(text=lambda text: text + "x" * 1_000_000 if text.startswith("::group") else text)
    page = visit.to(f"{serve(world).address}{FAILED}?task=extract-leave&tab=log")
    expect(page.get_by_role("log")).to_contain_text("more characters")
    assert page.evaluate("document.querySelector('.log-lines').textContent.length") < 60_000
