"""Makes the ERP extract in data/: deterministic, and as dirty as real exports are.

python examples/leave-forecast/make_data.py examples/leave-forecast/data
"""

import random
import sys
from datetime import date, timedelta
from pathlib import Path

SEED = 20260101
EMPLOYEES = 640
REQUESTS = 5_600
FIRST = [
    "Ada",
    "Ben",
    "Cleo",
    "Dara",
    "Emil",
    "Fay",
    "Gus",
    "Hana",
    "Ivo",
    "Jun",
    "Kai",
    "Lena",
    "Milo",
    "Nora",
    "Omar",
    "Pia",
    "Quin",
    "Rosa",
    "Sven",
    "Tara",
    "Uma",
    "Vito",
    "Wren",
    "Xena",
    "Yara",
    "Zoe",
]
LAST = [
    "Adler",
    "Berg",
    "Castro",
    "Dumas",
    "Eklund",
    "Fabre",
    "Greco",
    "Haas",
    "Ito",
    "Jansen",
    "Klein",
    "Lopez",
    "Moreau",
    "Novak",
    "Olsen",
    "Perez",
    "Quist",
    "Rossi",
    "Silva",
    "Toth",
]
TEAMS = ["finance", "logistics", "sales", "support", "platform"]
REGIONS = ["north", "south", "east"]
KINDS = ["annual", "annual", "annual", "sick", "parental", "unpaid"]


def written(day: date, rng: random.Random) -> str:
    """Two systems feed the export, and each has its own idea of a date."""
    return day.isoformat() if rng.random() < 0.7 else day.strftime("%d/%m/%Y")


def employees(rng: random.Random) -> list[str]:
    """employees.csv: some ids twice, a few regions empty, some blanks around values."""
    lines = ["employee_id,name,team,region"]
    for number in range(1, EMPLOYEES + 1):
        name = f"{rng.choice(FIRST)} {rng.choice(LAST)}"
        region = "" if rng.random() < 0.01 else rng.choice(REGIONS)
        blank = " " if rng.random() < 0.05 else ""
        lines.append(f"E{number:04d},{name}{blank},{blank}{rng.choice(TEAMS)},{region}")
        if rng.random() < 0.02:
            lines.append(lines[-1])
    lines.insert(200, "E9999,Broken")
    lines.insert(500, '"E9998,Stray Quote,sales,north')
    return lines


def requests(rng: random.Random) -> list[str]:
    """leave_requests.csv: ids sent twice, two date formats, lines cut off, days that no calendar has."""
    lines = ["request_id,employee_id,kind,start,end,status"]
    for number in range(1, REQUESTS + 1):
        start = date(2026, 1, 1) + timedelta(days=rng.randrange(364))
        end = min(start + timedelta(days=rng.choice([0, 0, 1, 2, 4, 4, 9])), date(2026, 12, 31))
        who = rng.randrange(1, EMPLOYEES + 9)  # a few have left: they are in no master file
        status = rng.choice(["approved", "approved", "approved", "pending", "rejected"])
        lines.append(f"R{number:05d},E{who:04d},{rng.choice(KINDS)},{written(start, rng)},{written(end, rng)},{status}")
        if rng.random() < 0.01:
            lines.append(lines[-1])
    for at, broken in (
        (700, "R00700B,E0004"),
        (1900, "R01900B,E0005,annual,2026-02-30,2026-03-02,approved"),
        (3300, "R03300B,E0006,annual,soon,later,approved"),
        (4400, "R04400B,E0007,annual,2026-06-09,2026-06-01,approved"),
    ):
        lines.insert(at, broken)
    return lines


def main(folder: Path) -> None:
    """Writes both files; the requests with the line ends of another system."""
    rng = random.Random(SEED)
    (folder / "employees.csv").write_text("\n".join(employees(rng)) + "\n", encoding="utf-8", newline="")
    (folder / "leave_requests.csv").write_text("\r\n".join(requests(rng)) + "\r\n", encoding="utf-8", newline="")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
