"""Public holidays by region, over HTTP: the external source of the leave forecast. Standard library only.

GET /v1/holidays?region=north&year=2026   a JSON list of {"date", "name"}
GET /healthz                              ok
"""

import json
import sys
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

COMMON = {(1, 1): "New Year", (5, 1): "Labour Day", (12, 25): "Christmas Day", (12, 26): "Second Christmas Day"}
REGIONAL = {
    "north": {(6, 19): "Midsummer", (10, 31): "Reformation Day"},
    "south": {(1, 6): "Epiphany", (8, 15): "Assumption", (11, 1): "All Saints"},
    "east": {(3, 8): "Women's Day", (10, 31): "Reformation Day", (11, 18): "Repentance Day"},
}


def holidays(region: str, year: int) -> list[dict[str, str]]:
    """The region's holidays of a year, in order. Raises KeyError for a region that is not known."""
    days = {**COMMON, **REGIONAL[region]}
    return [{"date": date(year, month, day).isoformat(), "name": name} for (month, day), name in sorted(days.items())]


class Handler(BaseHTTPRequestHandler):
    """Answers."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        if url.path == "/healthz":
            self._answer(200, "ok")
        elif url.path != "/v1/holidays":
            self._answer(404, {"error": "not here: GET /v1/holidays?region=north&year=2026"})
        else:
            try:
                self._answer(200, holidays(query["region"], int(query["year"])))
            except (KeyError, ValueError):
                self._answer(400, {"error": f"region is one of {', '.join(REGIONAL)}, year a number"})

    def _answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def serve(host: str = "0.0.0.0", port: int = 8080) -> ThreadingHTTPServer:
    """A server, not yet serving; port 0 takes a free one."""
    return ThreadingHTTPServer((host, port), Handler)


if __name__ == "__main__":
    serve(port=int(sys.argv[1]) if len(sys.argv) > 1 else 8080).serve_forever()
