"""The kinds that `run -f`, `apply` and `diff` accept."""

from tradewind.kube.resources import (
    BACKFILLS,
    CLUSTER_POOLS,
    CONFIG_MAPS,
    DAGS,
    POOLS,
    RUNS,
    SECRETS,
    TEMPLATES,
    TRIGGERS,
)

RESOURCES = {
    "DAG": DAGS,
    "DAGRun": RUNS,
    "Pool": POOLS,
    "ClusterPool": CLUSTER_POOLS,
    "Trigger": TRIGGERS,
    "Backfill": BACKFILLS,
    **TEMPLATES,
    "ConfigMap": CONFIG_MAPS,
    "Secret": SECRETS,
}
"""Resources by kind. See `document.KINDS`."""
