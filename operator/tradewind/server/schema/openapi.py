"""OpenAPI 3.1, from the table of routes."""

import re
from collections.abc import Iterable
from typing import Any

from pydantic.json_schema import models_json_schema

from tradewind import __version__
from tradewind.server.answers.base import ProblemAnswer, Wire
from tradewind.server.route import Form, Route

REF = "#/components/schemas/{model}"


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """The description of all routes."""
    listed = list(routes)
    sent: dict[str, type[Wire]] = {"ProblemAnswer": ProblemAnswer}
    for route in listed:
        for model in (route.answer, route.body):
            if model:
                sent[model.__name__] = model
    _, schemas = models_json_schema([(model, "validation") for model in sent.values()], ref_template=REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in listed:
        paths.setdefault(f"/{route.path}", {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Tradewind", "version": __version__, "description": "What the web UI is made of."},
        "servers": [{"url": "/api/v1"}],
        "paths": paths,
        "components": {
            "schemas": schemas.get("$defs", {}),
            "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": "tradewind-PORT"}},
        },
        "security": [{"session": []}],
    }


def _operation(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {
        "summary": route.words,
        "operationId": re.sub(r"\W+", "_", route.key).strip("_").lower(),
        "parameters": [*_in_path(route), *_in_query(route), *_headers(route)],
        "responses": {**_answers(route), "default": _problem()},
    }
    if route.needs:
        found["description"] = f"Needs the rights: {', '.join(map(str, route.needs))}."
    if route.body:
        content = {"application/json": {"schema": {"$ref": REF.format(model=route.body.__name__)}}}
        found["requestBody"] = {"required": True, "content": content}
    if route.open:
        found["security"] = []
    return found


def _in_path(route: Route) -> list[dict[str, Any]]:
    names = re.findall(r"\{(\w+)[^}]*\}", route.path)
    return [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]


def _in_query(route: Route) -> list[dict[str, Any]]:
    schema = route.query.model_json_schema()
    needed = schema.get("required") or ()
    return [
        {"name": name, "in": "query", "required": name in needed, "schema": field}
        for name, field in (schema.get("properties") or {}).items()
    ]


def _headers(route: Route) -> list[dict[str, Any]]:
    if not route.unsafe:
        return []
    return [{"name": "X-Tradewind", "in": "header", "required": True, "schema": {"const": "1"}}]


def _answers(route: Route) -> dict[str, Any]:
    if route.form is Form.NONE:
        return {"204": {"description": "Done."}}
    if route.answer and route.form is Form.JSON:
        schema: dict[str, Any] = {"$ref": REF.format(model=route.answer.__name__)}
    else:
        schema = {"type": "string"}
    return {"200": {"description": "The answer.", "content": {str(route.form): {"schema": schema}}}}


def _problem() -> dict[str, Any]:
    schema = {"$ref": REF.format(model="ProblemAnswer")}
    return {"description": "An error.", "content": {"application/problem+json": {"schema": schema}}}
