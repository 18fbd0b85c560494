"""`version.py --tag vX.Y.Z`: the version that package, chart and image share, if it is the one of the tag; for the workflow of releases."""

import argparse

import operator_layers

CHART = operator_layers.REPO / "charts/tradewind/Chart.yaml"


def versions() -> dict[str, str]:
    """Each place that has a version, and that version."""
    chart = dict(line.split(": ", 1) for line in CHART.read_text().splitlines() if line[:1].isalpha() and ": " in line)
    return {
        "pyproject.toml, version": operator_layers.version(),
        "Chart.yaml, version": chart["version"],
        "Chart.yaml, appVersion": chart["appVersion"].strip('"'),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tag", required=True, help="the tag of the release")
    wanted = parser.parse_args().tag.removeprefix("v")
    if wrong := [f"{place} is {found}" for place, found in versions().items() if found != wanted]:
        raise SystemExit(f"the tag wants {wanted}, but {'; '.join(wrong)}")
    print(f"version={wanted}")


if __name__ == "__main__":
    main()
