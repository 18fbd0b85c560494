"""Labels and annotations of pods and runs that record what belongs to what."""

RUN_UID = "tradewind.dev/run-uid"


RUN = "tradewind.dev/run"


DAG = "tradewind.dev/dag"
"""On a run too: of which DAG it is. On what belongs to a run: of which DAG that is."""


TASK = "tradewind.dev/task"


ITEM = "tradewind.dev/item"


ATTEMPT = "tradewind.dev/attempt"


DEPTH = "tradewind.dev/depth"
"""On a run that is a task of another one: how many runs it is within."""


ROOT = "tradewind.dev/root-uid"
"""On a run that is a task of another one: the uid of the outermost run that it is within."""


TRIGGER_DEPTH = "tradewind.dev/trigger-depth"
"""On a run that a trigger made because of other runs: how many runs led to it, one to the next, the first not counted."""


HOW = "tradewind.dev/trigger-type"
"""On a run: what made it, as manual, schedule, backfill, event, dag, asset, object, sensor or parent."""


TRIGGER = "tradewind.dev/trigger"
"""On a run: the Trigger that made it, or the Backfill of ticks that are no trigger's."""


BACKFILL = "backfill.tradewind.dev/"
"""Prefix of labels of a run by the backfills that made it, or tried it again."""


POOL = "pool.tradewind.dev/"


CLUSTER_POOL = "clusterpool.tradewind.dev/"


"""Prefixes of labels by pool, whose values are the slots that a pod holds."""
