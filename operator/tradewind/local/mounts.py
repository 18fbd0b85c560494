"""The volumes of a pod as folders of this machine, and variables whose paths point into them."""

import os
from collections.abc import Mapping
from pathlib import Path

from tradewind.kube.client import Object
from tradewind.local.process import NotStarted


def make_folders(pod: Object, container: Object, own: Path, claims: Path) -> dict[str, Path]:
    """Folders by mount path, created if missing: volumes of the pod (emptyDir) below `own`, claims below `claims`,
    which other pods see too. Other volumes are not mounted. Raises NotStarted for a folder that would be elsewhere."""
    found: dict[str, Path] = {}
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or []}
    for mount in container.get("volumeMounts") or []:
        volume = volumes.get(mount["name"], {})
        if "emptyDir" in volume:
            folder = own / mount["name"]
        elif claim := volume.get("persistentVolumeClaim"):
            folder = _below(claims / pod["metadata"]["namespace"], claim["claimName"], "claimName")
        else:
            continue
        folder = _below(folder, mount.get("subPath") or "", "subPath")
        folder.mkdir(parents=True, exist_ok=True)
        found[mount["mountPath"].rstrip("/")] = folder
    return found


def _below(folder: Path, name: str, field: str) -> Path:
    """The path of `name` in a folder. Raises NotStarted if it leads elsewhere, also by links that a task has made."""
    found = folder / name
    if ".." in Path(name).parts or not found.resolve().is_relative_to(folder.resolve()):
        raise NotStarted(f"{field} {name!r} leaves its volume: name a folder in it, without `..`")
    return found


def translated(env: Mapping[str, str], folders: Mapping[str, Path], container: Object, message: Path) -> dict[str, str]:
    """The container's variables, with paths in it translated to this machine: the termination message and paths on
    volumes. Paths that exist on this machine stay as they are."""
    own = {item["name"] for item in container.get("env") or []}

    def here(value: str) -> str:
        if value == container.get("terminationMessagePath", ""):
            return str(message)
        for mount, folder in folders.items():
            if (value == mount or value.startswith(f"{mount}/")) and not os.path.lexists(value):
                return str(folder) + value[len(mount) :]
        return value

    return {name: here(value) if name in own else value for name, value in env.items()}
