"""The types of the front end are those of the models."""

from pathlib import Path

from tradewind.server.schema.types import models, typescript
from tradewind.server.table import ROUTES

FILE = Path(__file__).parents[3] / "ui" / "src" / "api.d.ts"


def test_the_file_is_what_the_models_say() -> None:
    assert FILE.read_text() == typescript(models(), ROUTES), "run `make ui-types`"
