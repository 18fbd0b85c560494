"""All routes."""

from tradewind.server.route import Route
from tradewind.server.routes import actions, dags, export, logs, objects, overview, runs, session, stream, tasks

ROUTES: tuple[Route, ...] = (
    *session.ROUTES,
    *overview.ROUTES,
    *runs.ROUTES,
    *tasks.ROUTES,
    *logs.ROUTES,
    *export.ROUTES,
    *dags.ROUTES,
    *objects.ROUTES,
    *actions.ROUTES,
    *stream.ROUTES,
)
