"""All routes."""

from tradewind.server.route import Route

ROUTES: tuple[Route, ...] = ()
