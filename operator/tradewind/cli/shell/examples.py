"""Examples for the help of commands that have none in their docstrings."""

EXAMPLES: dict[str, tuple[str, ...]] = {
    "new": ("tradewind new etl", "tradewind new dags/etl.yaml"),
    "lint": ("tradewind lint dags/", "tradewind lint dag.yaml -o json"),
    "render": ("tradewind render etl", "tradewind render -f dags/"),
    "explain": ("tradewind explain dag.spec.tasks.retries", "tradewind explain trigger"),
    "diff": ("tradewind diff etl", "tradewind diff etl 3 5", "tradewind diff -f dag.yaml"),
    "apply": ("tradewind apply -f dag.yaml -f pools.yaml",),
    "dev": ("tradewind dev --port 8443",),
    "watch": ("tradewind watch etl-x7k2p --log",),
    "wait": ("tradewind wait etl-x7k2p etl-9qk4d --timeout 30m",),
    "plan": ("tradewind plan --next 7d --dag etl",),
    "get": ("tradewind get runs --dag etl", "tradewind get dag etl -o yaml", "tradewind get triggers -A"),
    "describe": ("tradewind describe etl-x7k2p", "tradewind describe dag etl"),
    "logs": (
        "tradewind logs etl-x7k2p -f",
        "tradewind logs etl-x7k2p load --tail 20",
        "tradewind logs etl-x7k2p 'load[3]'",
    ),
    "top": ("tradewind top -A", "tradewind top --dag etl --watch"),
    "revisions": ("tradewind revisions etl",),
    "approve": ("tradewind approve etl-x7k2p", "tradewind approve etl-x7k2p publish -a rows=500 -m 'looks right'"),
    "reject": ("tradewind reject etl-x7k2p publish -m 'too few rows'",),
    "cancel": ("tradewind cancel etl-x7k2p", "tradewind cancel backfill/etl-may"),
    "suspend": ("tradewind suspend etl-x7k2p", "tradewind suspend dag/etl trigger/nightly"),
    "resume": ("tradewind resume etl-x7k2p", "tradewind resume dag/etl"),
    "retry": ("tradewind retry etl-x7k2p --dry-run",),
    "clear": ("tradewind clear etl-x7k2p load --dry-run", "tradewind clear etl-x7k2p 'load[3]' --only"),
    "note": ("tradewind note etl-x7k2p 'the source was late'",),
    "mark": ("tradewind mark etl-x7k2p succeeded load --output rows=5", "tradewind mark etl-x7k2p skipped report"),
    "rerun": ("tradewind rerun etl-x7k2p",),
    "rollback": ("tradewind rollback etl", "tradewind rollback etl --to 3"),
    "doctor": ("tradewind doctor -A", "tradewind doctor --bundle support.tar.gz"),
}
"""Examples by command. Tests parse them as a shell and the commands do."""


def epilog(name: str) -> str | None:
    """The epilog of a command's help; None if its docstring has examples."""
    if name not in EXAMPLES:
        return None
    return "\b\n" + "\n".join(EXAMPLES[name])
