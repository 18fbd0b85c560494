"""The types of the front end are those of the models."""

from pathlib import Path

from tradewind.server.table import ROUTES
from tradewind.server.types import models, typescript

FILE = Path(__file__).parents[2] / "ui" / "src" / "api.d.ts"


def test_the_file_is_what_the_models_say() -> None:
    assert FILE.read_text() == typescript(models(), ROUTES), "run `make ui-types`"
