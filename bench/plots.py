"""Plots: one SVG per figure that has points."""

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure as Canvas

from bench.figure import Figure

AXES = {
    "ramp": ("runs created a minute", "ms until the first pod, median"),
    "soak": ("minutes", "MB of the operator"),
    "shards": ("operators", "pods a second"),
}


def draw(figures: list[Figure], side: str, folder: Path) -> list[Path]:
    """Writes the plots and returns their paths."""
    matplotlib.rcParams["svg.hashsalt"] = "bench"  # identical figures give identical files
    found = []
    for figure in figures:
        if not figure.plot:
            continue
        canvas = Canvas(figsize=(6, 3.2), layout="constrained")
        axes = canvas.subplots()
        axes.plot(*zip(*figure.points, strict=True), marker="o", markersize=3)
        across, up = AXES[figure.plot]
        axes.set(xlabel=across, ylabel=up, ylim=(0, None))
        axes.grid(alpha=0.3)
        path = folder / f"{side}-{figure.plot}.svg"
        canvas.savefig(path, metadata={"Date": None})
        found.append(path)
    return found
