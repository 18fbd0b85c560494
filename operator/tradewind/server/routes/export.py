"""A run as one file."""

import time

from aiohttp import web

from tradewind.kube.resources import RUNS
from tradewind.look.export.page import page
from tradewind.look.export.run import excerpts, exported
from tradewind.look.reading import reading
from tradewind.server.question import Question
from tradewind.server.route import Form, Need, Route
from tradewind.server.routes.runs import events_of
from tradewind.server.web.guard import SANDBOX


async def export(question: Question) -> web.StreamResponse:
    """The page, to download: it holds text of others, and is never a document of this server."""
    view = await question.service.pictures.view(question.caller, question.namespace, question.name)
    with reading(f"dagrun/{view.run.name}"):
        logs = await excerpts(question.client, view.run, view.state)
    events = [
        f"{row.type} {row.reason} {row.object} ({row.count}x): {row.message}"
        for row in await events_of(question, view.run.uid)
    ]

    def made() -> str:
        return page(exported(view.body, view.run, view.state, view.pods, logs, events, time.time()))

    text = await question.service.pictures.compute(view, made)
    headers = {
        "Content-Disposition": f'attachment; filename="{view.run.name}.html"',
        "Content-Security-Policy": SANDBOX,
    }
    return web.Response(text=text, content_type="text/html", charset="utf-8", headers=headers)


ROUTES = (
    Route(
        "GET",
        "runs/{namespace}/{name}/export.html",
        "A run as one file of HTML.",
        export,
        needs=(Need("get", RUNS),),
        form=Form.HTML,
    ),
)
