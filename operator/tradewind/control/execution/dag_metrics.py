"""Metrics by DAG: how its runs end, how long they take, which are late, and when one last succeeded. As tenants create DAGs, only a limited number have
series of their own; runs of the others are counted together."""

import contextlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

from tradewind import metrics
from tradewind.control.dagrun import deadlines
from tradewind.control.dagrun.run import Run
from tradewind.kube.client import Object
from tradewind.kube.resources import Key
from tradewind.model import duration
from tradewind.model.run import FINAL_PHASES

OTHERS: Key = ("_other", "_other")
"""Stands for all DAGs without series of their own; no object has a name that begins with `_`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Number of DAGs with series of their own, in total and per namespace, so that no tenant takes the places of others."""

    total: int = 200
    of_namespace: int = 50


class DAGMetrics:
    """Follows DAGs and their runs. Gauges are derived from existing runs, so a restart doesn't affect them."""

    def __init__(self, limits: Limits = Limits()) -> None:
        self._limits = limits
        self._dags: dict[Key, float] = {}
        """When each DAG was created, in epoch seconds."""
        self._within: dict[Key, float] = {}
        """Seconds within which a success is expected, for DAGs that declare it and are not suspended."""
        self._ended: dict[Key, dict[str, float]] = {}
        """When the last run ended, by phase."""
        self._named: set[Key] = set()
        self._refused: set[Key] = set()
        """DAGs for which there was no place."""
        self._in_namespace: Counter[str] = Counter()
        self._live: set[str] = set()
        """Uids of runs that were seen active: their ends, and the deadlines that they miss, are counted."""
        self._late: dict[Key, set[str]] = {}
        """Uids of active runs that have missed a deadline."""

    def dag_seen(self, body: Object, deleted: bool) -> None:
        """A DAG was created, changed or deleted."""
        meta, spec = body["metadata"], body.get("spec") or {}
        key = (meta["namespace"], meta["name"])
        if deleted:
            self._drop(key)
            return
        self._dags[key] = duration.instant(meta["creationTimestamp"])
        if key in self._ended:  # Its runs were seen first.
            self._name(key)
        if not spec.get("template"):  # For a DAG with a template, `spec_seen` follows when it is rendered.
            self.spec_seen(*key, spec)

    def spec_seen(self, namespace: str, name: str, spec: Any) -> None:
        """A DAG's spec, including its templates, has changed."""
        key = (namespace, name)
        self._within.pop(key, None)
        with contextlib.suppress(ValueError, TypeError):  # The DAG's own condition reports the problem.
            if not spec.get("suspend") and (within := spec.get("expectSuccessWithin")):
                self._within[key] = duration.seconds(within)
                self._name(key)
        self._tell(key)

    def run_seen(self, run: Run, deleted: bool = False) -> None:
        """A run was created or deleted, changed its phase or missed a deadline."""
        if run.local:
            return  # Runs of the whole DAG count.
        key = (run.namespace, run.dag)
        if not deleted:
            self._name(key)
        self._follow_deadlines(key, run, deleted)
        if deleted:
            self._live.discard(run.uid)
            if key not in self._dags:
                self._ended.pop(key, None)
        elif not run.final:
            self._live.add(run.uid)
        else:
            self._end(key, run)

    def _follow_deadlines(self, key: Key, run: Run, deleted: bool) -> None:
        known, missed = self._late.get(key, set()), bool(deadlines.told(run.status))
        if missed and not deleted and run.uid in self._live and run.uid not in known:
            metrics.dag_deadlines_missed.labels(*(key if key in self._named else OTHERS)).inc()
        if missed and not deleted and not run.final:
            self._late.setdefault(key, set()).add(run.uid)
        elif run.uid in known:
            known.discard(run.uid)
            if not known:
                del self._late[key]
        if key in self._named:
            metrics.dag_runs_late.labels(*key).set(len(self._late.get(key, ())))

    def clear(self) -> None:
        """Removes all series: other replicas report these DAGs from now on."""
        for key in (*self._named, OTHERS):
            _remove(key)
        metrics.dags_unlabelled.set(0)

    def _end(self, key: Key, run: Run) -> None:
        began, ended = _moment(run.began), _moment(run.status.get("finishedAt"))
        if run.uid in self._live:
            self._live.discard(run.uid)
            labels = key if key in self._named else OTHERS
            metrics.dag_runs.labels(*labels, run.phase).inc()
            if run.phase == "Succeeded" and began and ended:
                metrics.dag_run_duration.labels(*labels).observe(max(0.0, ended - began))
        known = self._ended.setdefault(key, {})
        known[run.phase] = max(ended, known.get(run.phase, 0.0))
        self._tell(key)

    def _tell(self, key: Key) -> None:
        """Sets the gauges of a DAG."""
        if key not in self._named:
            return
        ended = self._ended.get(key, {})
        for phase, gauge in (("Succeeded", metrics.dag_last_success), ("Failed", metrics.dag_last_failure)):
            if at := ended.get(phase):
                gauge.labels(*key).set(at)
        if within := self._within.get(key):
            metrics.dag_success_due.labels(*key).set(max(self._dags[key], ended.get("Succeeded", 0.0)) + within)
        else:
            with contextlib.suppress(KeyError):
                metrics.dag_success_due.remove(*key)

    def _name(self, key: Key) -> None:
        """Gives a DAG series of its own, if there is a place. DAGs get one that have a run, or for which a success is expected."""
        if key not in self._dags or key in self._named:
            return
        if len(self._named) >= self._limits.total or self._in_namespace[key[0]] >= self._limits.of_namespace:
            self._refused.add(key)
        else:
            self._refused.discard(key)
            self._named.add(key)
            self._in_namespace[key[0]] += 1
            for phase in FINAL_PHASES:
                metrics.dag_runs.labels(*key, phase)  # From zero, so that a rate includes the first one.
            metrics.dag_deadlines_missed.labels(*key)
            metrics.dag_runs_late.labels(*key).set(len(self._late.get(key, ())))
            self._tell(key)
        metrics.dags_unlabelled.set(len(self._refused))

    def _drop(self, key: Key) -> None:
        for known in (self._dags, self._within, self._ended):
            known.pop(key, None)
        if key in self._named:
            self._named.discard(key)
            self._in_namespace[key[0]] -= 1
            _remove(key)
        self._refused.discard(key)
        metrics.dags_unlabelled.set(len(self._refused))


def _remove(key: Key) -> None:
    for metric in (
        metrics.dag_deadlines_missed,
        metrics.dag_run_duration,
        metrics.dag_runs_late,
        metrics.dag_last_success,
        metrics.dag_last_failure,
        metrics.dag_success_due,
    ):
        with contextlib.suppress(KeyError):
            metric.remove(*key)
    for phase in FINAL_PHASES:
        with contextlib.suppress(KeyError):
            metrics.dag_runs.remove(*key, phase)


def _moment(text: Any) -> float:
    """A timestamp in epoch seconds; 0 if it is invalid."""
    try:
        return duration.instant(text) if text else 0.0
    except (ValueError, TypeError):
        return 0.0
