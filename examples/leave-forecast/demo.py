"""`make demo`: the leave forecast on this machine, without a cluster. Starts the holiday service, runs the DAG, shows the result."""

import subprocess
import sys
import threading
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "holidays"))

from server import serve  # noqa: E402


def main() -> int:
    """The exit code of `tradewind run`."""
    work = Path.cwd() / ".demo"
    work.mkdir(exist_ok=True)
    server = serve("127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = [sys.executable, "-m", "tradewind.cli", "run", "-f", str(HERE / "dag.yaml")]
    params = {"holidaysUrl": f"http://127.0.0.1:{server.server_port}", "source": str(HERE / "data"), "work": str(work)}
    for name, value in params.items():
        if not any(given.startswith(f"{name}=") for given in sys.argv[1:]):  # A param is given once.
            command += ["--param", f"{name}={value}"]
    command += sys.argv[1:]
    print(
        f"$ tradewind run -f {HERE.name}/dag.yaml --param holidaysUrl=... --param source=... --param work=...\n",
        flush=True,
    )
    try:
        code = subprocess.call(command)
    except KeyboardInterrupt:
        return 130
    published = work / "leave-forecast-north-2026.csv"
    if code == 0 and published.exists():
        print(f"\n{published.relative_to(Path.cwd())}:")
        print("".join(published.read_text().splitlines(keepends=True)[:5]), end="")
        print("...")
    return code


if __name__ == "__main__":
    sys.exit(main())
