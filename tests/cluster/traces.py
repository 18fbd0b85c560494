"""What a self-made cluster could leave on its machine, for the test that it leaves nothing."""

from pathlib import Path

from cluster import cgroups
from cluster.settings import CGROUP, STATE
from cluster.shell import run
from cluster.supervisor import KERNEL_SETTINGS, OWN_FOLDERS


def traces() -> dict[str, object]:
    """Comparable before and after; other programs of the machine do not appear in it."""
    return {
        "processes": processes(),
        "mounts": sorted(line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()),
        "interfaces": sorted(link.name for link in Path("/sys/class/net").iterdir()),
        "routes": run("ip", "route", "show", "table", "all"),
        "rules": run("nft", "list", "ruleset"),
        "cgroups": [str(tree / CGROUP) for tree in cgroups.hierarchies() if (tree / CGROUP).exists()],
        "folders": [folder for folder in (*OWN_FOLDERS, str(STATE), "/run/netns") if Path(folder).exists()],
        "settings": {name: Path("/proc/sys", name).read_text() for name in KERNEL_SETTINGS},
        "forwarding": Path("/proc/sys/net/ipv4/ip_forward").read_text(),
    }


def processes() -> list[str]:
    """Command lines of everything that runs for this cluster: supervisor, components, shims, containers."""
    found: list[str] = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            group = (entry / "cgroup").read_text()
        except OSError:
            continue
        if f"{STATE}/" in line or line.endswith(str(STATE)) or f"/{CGROUP}/" in group:
            found.append(line)
    return sorted(found)


def process_ids(first: int) -> list[int]:
    """The processes of the node whose first process this is, and the one that made it; containers end with them.

    By namespace and never by name: a program that only mentions the cluster is not part of it.
    """
    mounts = Path(f"/proc/{first}/ns/mnt").readlink()
    parent = int(Path(f"/proc/{first}/stat").read_text().rpartition(")")[2].split()[1])
    found = [parent]
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "ns/mnt").readlink() == mounts:
                found.append(int(entry.name))
        except OSError:
            continue
    assert 1 not in found
    return found
