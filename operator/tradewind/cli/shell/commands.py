"""All commands, as `tradewind --help` lists them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: its module in this package (and the name in it, where that is not `command`), and what it does in a few words."""

    module: str
    words: str


SECTIONS: dict[str, dict[str, Entry]] = {
    "Write DAGs": {
        "new": Entry("new", "Write a first DAG, to begin with."),
        "lint": Entry("lint", "Check manifests, without a cluster."),
        "render": Entry("render", "Show a DAG with its templates filled in."),
        "explain": Entry("explain", "Show what fields mean, without a cluster."),
        "diff": Entry("diff", "Show what an edit, or applying a file, changes."),
        "apply": Entry("apply", "Check manifests and apply them."),
    },
    "Run DAGs": {
        "run": Entry("run", "Start a run: of a DAG of the cluster, or of a file here (-f)."),
        "dev": Entry("dev", "Keep a local cluster up, for kubectl."),
        "watch": Entry("objects.watch", "Follow a run until it has ended."),
        "wait": Entry("objects.wait_for", "Wait until runs have ended."),
        "backfill": Entry("backfill", "Run a DAG for dates of the past."),
        "plan": Entry("plan", "List the runs that schedules will make."),
    },
    "Look at them": {
        "get": Entry("get", "List DAGs, runs, triggers and other objects."),
        "describe": Entry("describe", "Show one run or DAG in full."),
        "logs": Entry("logs", "Print what tasks have printed."),
        "top": Entry("top", "Show where runs wait, and for how long."),
        "revisions": Entry("revisions", "List the specs that a DAG has had."),
    },
    "Intervene": {
        "approve": Entry("approve", "Approve what a task waits for."),
        "reject": Entry("approve:reject", "Decline what a task waits for."),
        "cancel": Entry("cancel", "Cancel runs."),
        "suspend": Entry("suspend", "Hold back runs, or the new runs of a DAG, trigger or backfill."),
        "resume": Entry("suspend:resume", "Let them go on."),
        "retry": Entry("retry", "Try again what failed in a run."),
        "clear": Entry("edit", "Run tasks of a run again, and all that depends on them."),
        "mark": Entry("edit:mark", "Give tasks of a run a state."),
        "rerun": Entry("rerun", "Start a new run that takes over results of another."),
        "rollback": Entry("rollback", "Give a DAG one of its earlier specs."),
        "delete": Entry("objects.delete", "Delete runs, DAGs, triggers and other objects."),
    },
    "Tradewind itself": {
        "doctor": Entry("doctor.command", "Check the cluster and what is installed on it."),
        "version": Entry("shell.version", "Print the version."),
        "completion": Entry("shell.completion", "Print the completion script for a shell."),
    },
    "Servers, started by the Helm chart": {
        "operator": Entry("operator", "Reconcile DAGs and runs of a cluster."),
        "webhook": Entry("webhook", "Check what is applied."),
        "events": Entry("events", "Take events over HTTP."),
    },
}
COMMANDS: dict[str, Entry] = {name: entry for section in SECTIONS.values() for name, entry in section.items()}
