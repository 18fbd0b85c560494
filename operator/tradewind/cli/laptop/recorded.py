"""`--data DIR`: history that outlives a session on this machine."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import click

from tradewind.kube.client import Client

DATA = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Folder to record ended runs in; `tradewind history --data DIR` shows them.",
)


@contextlib.asynccontextmanager
async def recorded(client: Client, folder: Path | None) -> AsyncIterator[None]:
    """Records the runs of a session in a folder, if there is one. Raises ClickException."""
    if folder is None:
        yield
        return
    from tradewind.recorder.folder import recording
    from tradewind.recorder.store.database import StoreError

    try:
        async with recording(client, folder):
            yield
    except StoreError as error:
        raise click.ClickException(str(error)) from None
