"""The report: a table for people, JSON for programs."""

import json
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.figure import Figure
from bench.plots import draw


def show(figures: list[Figure], side: str, folder: Path) -> None:
    """Prints the table, and writes JSON and plots."""
    table = Table(
        "figure", "floor", "Tradewind", "ratio", "target", "met", box=None, header_style="bold", pad_edge=False
    )
    for figure in figures:
        table.add_row(
            figure.what,
            "" if figure.floor is None else f"{figure.floor:.2f} {figure.unit}",
            f"{figure.value:.2f} {figure.unit}",
            "" if not figure.floor else f"{figure.value / figure.floor:.3f}",
            figure.target,
            "yes" if figure.met else "NO",
        )
    Console(width=None if sys.stdout.isatty() else 200).print(table)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{side}.json"
    about = {
        "side": side,
        "python": platform.python_version(),
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    path.write_text(json.dumps({**about, "figures": [asdict(figure) for figure in figures]}, indent=2) + "\n")
    for written in (path, *draw(figures, side, folder)):
        print(f"written: {written}")
