"""Prometheus metrics. No label names a run or a task: their number is unbounded. control/execution/dag_metrics.py
bounds how many DAGs have labels."""

from platform import python_version

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, disable_created_metrics

from tradewind import __version__

disable_created_metrics()  # type: ignore[no-untyped-call]
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)  # memory, CPU and open files of the operator itself
ADMISSION = CollectorRegistry()
"""Metrics of the admission webhook. It leads nothing, and with an operator's gauges it would look like an operator that
does not work."""
ProcessCollector(registry=ADMISSION)

EVENTS = CollectorRegistry()
"""Metrics of the event endpoint, which leads nothing either."""
ProcessCollector(registry=EVENTS)

RECORDER = CollectorRegistry()
"""Metrics of the recorder."""
ProcessCollector(registry=RECORDER)

FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
HOURS = (10, 60, 300, 900, 3600, 14400, 86400)
LONG = (1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400)

task_latency = Histogram(
    "tradewind_task_latency_seconds",
    "Scheduling latency of a task's attempt, by stage. ready_to_created is on the operator's clock; the other stages are"
    " differences of API timestamps, whose resolution is 1 s.",
    ["stage"],
    buckets=FAST,
    registry=REGISTRY,
)
READY_TO_CREATED = task_latency.labels("ready_to_created")
CREATED_TO_SCHEDULED = task_latency.labels("created_to_scheduled")
SCHEDULED_TO_STARTED = task_latency.labels("scheduled_to_started")
DEPENDENCY_TO_STARTED = task_latency.labels("dependency_finished_to_started")

task_duration = Histogram(
    "tradewind_task_duration_seconds",
    "From the start of an attempt's container to its end, by outcome (API timestamps, resolution 1 s).",
    ["outcome"],
    buckets=LONG,
    registry=REGISTRY,
)
run_duration = Histogram(
    "tradewind_run_duration_seconds",
    "From a run's start, or its reopening, to its end, by final phase.",
    ["phase"],
    buckets=LONG,
    registry=REGISTRY,
)
DAG = ("dag_namespace", "dag")
"""Not `namespace`: Prometheus sets that label to the operator's namespace."""
dag_runs = Counter(
    "tradewind_dag_runs",
    "Runs that have ended, by DAG and final phase. DAGs beyond the limit are counted together, as _other.",
    [*DAG, "phase"],
    registry=REGISTRY,
)
dag_run_duration = Histogram(
    "tradewind_dag_run_duration_seconds",
    "From the start of a run that succeeded, or its reopening, to its end, by DAG.",
    DAG,
    buckets=HOURS,
    registry=REGISTRY,
)
dag_last_success = Gauge(
    "tradewind_dag_last_success_timestamp_seconds",
    "When the DAG's last run that succeeded has ended, in epoch seconds.",
    DAG,
    registry=REGISTRY,
)
dag_last_failure = Gauge(
    "tradewind_dag_last_failure_timestamp_seconds",
    "When the DAG's last run that failed has ended, in epoch seconds.",
    DAG,
    registry=REGISTRY,
)
dag_success_due = Gauge(
    "tradewind_dag_success_due_timestamp_seconds",
    "By when the next run has to succeed for the DAG's expectSuccessWithin, in epoch seconds.",
    DAG,
    registry=REGISTRY,
)
dag_deadlines_missed = Counter(
    "tradewind_dag_deadlines_missed",
    "Runs that have missed a deadline, their own or one of a task, by DAG. DAGs beyond the limit are counted together, as _other.",
    DAG,
    registry=REGISTRY,
)
dag_runs_late = Gauge(
    "tradewind_dag_runs_late",
    "Runs that have missed a deadline and have not ended, by DAG.",
    DAG,
    registry=REGISTRY,
)
dags_unlabelled = Gauge(
    "tradewind_dags_unlabelled",
    "DAGs without series of their own, because there are more than the limit allows.",
    registry=REGISTRY,
)
trigger_latency = Histogram(
    "tradewind_trigger_latency_seconds",
    "From what makes a trigger fire (a tick with its jitter, an event's arrival, another run's end) to its run's creation acknowledged, by"
    " type. Ticks that were missed don't count.",
    ["type"],
    buckets=FAST,
    registry=REGISTRY,
)
occasions = Counter(
    "tradewind_trigger_occasions_total",
    "Occasions on which triggers fired, by type and what became of them: created, duplicate (the run was there), filtered (by `when`),"
    " skipped (too late, or for the sake of another run), failed.",
    ["type", "result"],
    registry=REGISTRY,
)
sensors_waiting = Gauge(
    "tradewind_sensors_waiting",
    "Sensors that ask now and then, of tasks and of triggers, by what they ask.",
    ["kind"],
    registry=REGISTRY,
)
sensor_polls = Counter(
    "tradewind_sensor_polls_total",
    "Polls of sensors, by what was asked and what became of it: found, nothing (not there yet), error.",
    ["kind", "result"],
    registry=REGISTRY,
)
runs = Gauge("tradewind_runs", "Runs that have not ended, by phase.", ["phase"], registry=REGISTRY)
runs_removed = Counter(
    "tradewind_runs_removed",
    "Runs deleted after their end, by what their DAG's history says: limit or ttl.",
    ["reason"],
    registry=REGISTRY,
)
runs_unrecorded = Counter(
    "tradewind_runs_unrecorded",
    "Runs deleted after their end although the recorder had not recorded them: it is away or behind for longer than the limits allow.",
    registry=REGISTRY,
)
logs_unstored = Counter(
    "tradewind_runs_logs_unstored",
    "Runs whose pods were deleted although the recorder had not stored their logs ten minutes after the run's end.",
    registry=REGISTRY,
)
tasks = Gauge("tradewind_tasks", "Tasks of runs that have not ended, by state.", ["state"], registry=REGISTRY)
api_requests = Counter(
    "tradewind_api_requests_total",
    "Requests to the API server, by HTTP status code (0: no answer).",
    ["verb", "resource", "code"],
    registry=REGISTRY,
)
api_duration = Histogram(
    "tradewind_api_request_duration_seconds",
    "Time until the API server's answer, watches excepted.",
    ["verb", "resource"],
    buckets=FAST,
    registry=REGISTRY,
)
write_limit = Gauge(
    "tradewind_api_write_limit",
    "Writes that may be in flight at once: falls when the API server refuses or is slow, rises when it keeps up.",
    registry=REGISTRY,
)
writes_waiting = Gauge(
    "tradewind_api_writes_waiting", "Writes that wait for a place among those in flight.", registry=REGISTRY
)
watch_last_event = Gauge(
    "tradewind_watch_last_event_timestamp_seconds",
    "When a watch last said something (an event or a bookmark), in epoch seconds.",
    ["resource"],
    registry=REGISTRY,
)
loop_lag = Histogram(
    "tradewind_loop_lag_seconds",
    "How late the event loop wakes a timer: what everything else waits for.",
    buckets=FAST,
    registry=REGISTRY,
)
shards = Gauge("tradewind_shards", "Into how many shards the namespaces are divided.", registry=REGISTRY)
shards_held = Gauge("tradewind_shards_held", "Shards that this process holds.", registry=REGISTRY)
leader = Gauge("tradewind_leader", "1 while this process holds the lease.", registry=REGISTRY)

# Client-go's names, so that dashboards made for other controllers work.
queue_depth = Gauge("workqueue_depth", "Keys that wait to be reconciled.", ["name"], registry=REGISTRY)
queue_adds = Counter("workqueue_adds", "Keys added.", ["name"], registry=REGISTRY)
queue_retries = Counter("workqueue_retries", "Keys added again after an error.", ["name"], registry=REGISTRY)
queue_wait = Histogram(
    "workqueue_queue_duration_seconds", "How long a key waits.", ["name"], buckets=FAST, registry=REGISTRY
)
queue_work = Histogram(
    "workqueue_work_duration_seconds", "How long reconciling a key takes.", ["name"], buckets=FAST, registry=REGISTRY
)

admission_requests = Counter(
    "tradewind_admission_requests_total",
    "Requests that the admission webhook answered, by kind and whether it allowed them (error: it could not tell).",
    ["kind", "allowed"],
    registry=ADMISSION,
)
evaluations = Counter(
    "tradewind_evaluations",
    "Expressions that were evaluated by the worker process, since they may take long: value, error (too long and too large among them),"
    " ended (the kernel ended the worker).",
    ["result"],
    registry=REGISTRY,
)
put_aside = Counter(
    "tradewind_runs_put_aside",
    "Passes that ended because a run's expressions had used up the computing time of one pass. The run goes on in the next one.",
    registry=REGISTRY,
)
admission_duration = Histogram(
    "tradewind_admission_request_duration_seconds",
    "How long the admission webhook took for an answer.",
    ["kind"],
    buckets=FAST,
    registry=ADMISSION,
)
certificate_expiry = Gauge(
    "tradewind_webhook_certificate_expiry_timestamp_seconds",
    "When the admission webhook's certificate ends, in epoch seconds.",
    registry=ADMISSION,
)
events_in_flight = Gauge("tradewind_events_in_flight", "Requests in work at the endpoint for events.", registry=EVENTS)
events_refused = Counter(
    "tradewind_events_refused",
    "Requests that the endpoint for events refused: malformed, large, slow, unauthenticated, replayed, forbidden, unknown, unready (no DAG,"
    " or an invalid trigger), suspended, unfit (no run can be made of it), limited, busy, unavailable (the API server), error.",
    ["reason"],
    registry=EVENTS,
)
events_certificate_expiry = Gauge(
    "tradewind_events_certificate_expiry_timestamp_seconds",
    "When the certificate of the endpoint for events ends, in epoch seconds; 0 without one.",
    registry=EVENTS,
)
recorded_runs = Counter(
    "tradewind_recorder_runs", "Versions of ended runs that the recorder has written.", registry=RECORDER
)
recorded_unreadable = Counter(
    "tradewind_recorder_unreadable", "Runs that the recorder could not read and has put aside.", registry=RECORDER
)
recorded_logs = Counter("tradewind_recorder_logs", "Logs that the recorder has stored.", registry=RECORDER)
recorded_logs_incomplete = Counter(
    "tradewind_recorder_logs_incomplete",
    "Logs among them that are not complete; their records say why.",
    registry=RECORDER,
)
recorder_logs_waiting = Gauge(
    "tradewind_recorder_logs_waiting", "Logs of ended attempts that are not stored yet.", registry=RECORDER
)
recorder_waiting = Gauge(
    "tradewind_recorder_waiting", "Events that the recorder has seen and not written.", registry=RECORDER
)
recorder_lag = Gauge(
    "tradewind_recorder_lag_seconds", "How long the oldest of them has waited; 0 if none does.", registry=RECORDER
)
recorder_failing = Gauge(
    "tradewind_recorder_failing_seconds", "For how long the store can't be written; 0 if it can.", registry=RECORDER
)
recorder_bytes = Gauge("tradewind_recorder_store_bytes", "Bytes that the store takes.", registry=RECORDER)
recorder_published = Gauge(
    "tradewind_recorder_watermark_timestamp_seconds",
    "When the recorder last told the operator up to where it has recorded, in epoch seconds.",
    registry=RECORDER,
)
build_info = Gauge(
    "tradewind_build_info", "1; the labels say which version runs.", ["version", "python"], registry=REGISTRY
)
build_info.labels(__version__, python_version()).set(1)
for shared in (api_requests, api_duration, build_info):
    ADMISSION.register(shared)
for registry in (EVENTS, RECORDER):
    registry.register(watch_last_event)
for shared in (api_requests, api_duration, build_info, trigger_latency, occasions):
    EVENTS.register(shared)
for shared in (api_requests, api_duration, build_info):
    RECORDER.register(shared)
