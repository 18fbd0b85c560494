"""The description of the routes."""

import re

from tradewind.server.schema.openapi import document
from tradewind.server.table import ROUTES


def test_every_route_and_every_reference_is_described() -> None:
    found = document(ROUTES)
    assert found["openapi"].startswith("3.1")
    for route in ROUTES:
        operation = found["paths"][f"/{route.path}"][route.method.lower()]
        named = {item["name"] for item in operation["parameters"] if item["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", route.path)), route.key
    text = str(found)
    schemas = found["components"]["schemas"]
    assert set(re.findall(r"#/components/schemas/(\w+)", text)) <= set(schemas)
    ids = [operation["operationId"] for path in found["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids)) == len(ROUTES)


def test_routes_below_a_namespace_name_their_rights() -> None:
    assert all(route.needs for route in ROUTES if "{namespace}" in route.path)
