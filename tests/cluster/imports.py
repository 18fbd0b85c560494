"""Giving image archives to containerd, without the layers that it has already."""

import subprocess
import tarfile
from pathlib import Path

from cluster.shell import ClusterError, run, tail


def load(socket: Path, archive: Path) -> None:
    """After a change of code only the smallest layer of an image is sent."""
    ctr = ["ctr", f"--address={socket}", "--namespace=k8s.io"]
    known = {digest.partition(":")[2] for digest in run(*ctr, "content", "ls", "--quiet").split()}
    process = subprocess.Popen(
        [*ctr, "images", "import", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdin is not None
    try:
        _send(archive, process.stdin, known)
    except BrokenPipeError:
        pass  # its own message, below, says why
    finally:
        output = process.communicate()[0].decode(errors="replace")
    if process.returncode != 0:
        raise ClusterError(f"importing {archive}: exit code {process.returncode}\n{tail(output)}")


def _send(archive: Path, target: object, known: set[str]) -> None:
    with tarfile.open(archive) as full, tarfile.open(fileobj=target, mode="w|", bufsize=1 << 20) as thin:  # type: ignore[call-overload]
        for member in full:
            if Path(member.name).name not in known:
                thin.addfile(member, full.extractfile(member))
