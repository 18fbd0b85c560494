"""All commands, as `tradewind --help` lists them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A command: its module in this package (with the name in it, if that is not `command`), and its summary."""

    module: str
    words: str


SECTIONS: dict[str, dict[str, Entry]] = {
    "Write DAGs": {
        "new": Entry("new", "Create an example DAG to start from."),
        "lint": Entry("lint", "Check manifests, without a cluster."),
        "render": Entry("render", "Show a DAG with its templates filled in."),
        "explain": Entry("explain", "Show the documentation of fields, without a cluster."),
        "diff": Entry("diff", "Show what an edit changed, or what applying a file would change."),
        "apply": Entry("apply", "Check manifests and apply them."),
    },
    "Run DAGs": {
        "run": Entry("run", "Start a run on the cluster, or of a file on this machine (-f)."),
        "dev": Entry("dev", "Run a local cluster for kubectl."),
        "watch": Entry("objects.watch", "Follow a run until it has ended."),
        "wait": Entry("objects.wait_for", "Wait until runs have ended."),
        "backfill": Entry("backfill", "Run a DAG for past dates."),
        "plan": Entry("plan", "List upcoming runs of schedules."),
    },
    "Inspect": {
        "ui": Entry("ui", "Show runs and DAGs in a browser."),
        "get": Entry("get", "List DAGs, runs, triggers and other objects."),
        "describe": Entry("describe", "Show one run or DAG in full."),
        "logs": Entry("logs", "Print the logs of tasks."),
        "history": Entry("history.command", "List, show and export recorded runs, which outlive their objects."),
        "top": Entry("top", "Show what tasks wait for, and for how long."),
        "export": Entry("export", "Write a run as one HTML file."),
        "revisions": Entry("revisions", "List the revisions of a DAG."),
    },
    "Control runs": {
        "approve": Entry("approve", "Approve a waiting approval task."),
        "reject": Entry("approve:reject", "Reject a waiting approval task."),
        "cancel": Entry("cancel", "Cancel runs."),
        "suspend": Entry("suspend", "Suspend runs, or new runs of a DAG, trigger or backfill."),
        "resume": Entry("suspend:resume", "Resume suspended runs, DAGs, triggers or backfills."),
        "retry": Entry("retry", "Retry the failed tasks of a run."),
        "clear": Entry("edit", "Run tasks of a run again, with all tasks that depend on them."),
        "mark": Entry("edit:mark", "Set the state of tasks of a run."),
        "rerun": Entry("rerun", "Start a new run that reuses results of another."),
        "note": Entry("note", "Write a note on a run."),
        "rollback": Entry("rollback", "Restore an earlier revision of a DAG."),
        "delete": Entry("objects.delete", "Delete runs, DAGs, triggers and other objects."),
    },
    "Installation": {
        "doctor": Entry("doctor.command", "Check the cluster and the installation."),
        "version": Entry("shell.version", "Print the version."),
        "completion": Entry("shell.completion", "Print the completion script for a shell."),
    },
    "Servers, started by the Helm chart": {
        "operator": Entry("operator", "Reconcile DAGs and runs of a cluster."),
        "webhook": Entry("webhook", "Serve the admission webhook."),
        "events": Entry("events", "Serve the event endpoint."),
        "recorder": Entry("recorder", "Record ended runs in a store that outlives them."),
    },
}
COMMANDS: dict[str, Entry] = {name: entry for section in SECTIONS.values() for name, entry in section.items()}
