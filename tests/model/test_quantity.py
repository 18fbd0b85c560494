"""Quantities of memory, as Kubernetes writes them."""

from decimal import Decimal

import pytest
from tradewind.model.quantity import parse


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("64Mi", 64 * 2**20),
        ("1.5Gi", 3 * 2**29),
        ("2G", 2_000_000_000),
        ("500", 500),
        (500, 500),
        ("1e3", 1000),
        ("500m", Decimal("0.5")),
        ("1k", 1000),
    ],
)
def test_a_quantity_is_a_number(text: str | int, number: int | Decimal) -> None:
    assert parse(text) == number


@pytest.mark.parametrize("text", ["", "Mi", "64MB", "-1", "1 Gi", "1e9999", "64mi"])
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a quantity: write e\.g\. 512Mi or 2Gi"):
        parse(text)
