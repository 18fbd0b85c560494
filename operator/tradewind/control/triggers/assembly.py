"""Assembles the sources of triggers with their dependencies."""

import time
from collections.abc import Callable, Mapping

from tradewind.control.dagrun.run import Run
from tradewind.control.sensors.sensor_tasks import SensorTasks
from tradewind.control.shared.event_recorder import EventRecorder
from tradewind.control.triggers.object_watches import ObjectWatches
from tradewind.control.triggers.reconciler import TriggerReconciler
from tradewind.control.triggers.run_facts import ConsumedFacts
from tradewind.control.triggers.source import Source
from tradewind.control.triggers.sources.asset_update import AssetSource
from tradewind.control.triggers.sources.completed_run import CompletedRunSource
from tradewind.control.triggers.sources.event import EventSource
from tradewind.control.triggers.sources.object_change import ObjectSource
from tradewind.control.triggers.sources.schedule import ScheduleSource
from tradewind.control.triggers.sources.sensor import SensorSource
from tradewind.kube.client import Client


class Triggers:
    """The reconciler of triggers, and the state that its sources share."""

    def __init__(
        self,
        client: Client,
        events: EventRecorder,
        sensors: SensorTasks,
        made: Callable[[Run], None],
        watched: Callable[[str], bool],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`made` is called for each run that a trigger makes; `watched` returns whether the operator knows the runs of a namespace."""

        def sources(own: TriggerReconciler) -> Mapping[str, Source]:
            self.facts = ConsumedFacts(client, own.followers)
            self.posted = EventSource(own.wake)
            self.objects = ObjectWatches(client, own.wake)
            return {
                "schedule": ScheduleSource(client, own.unfinished, clock),
                "event": self.posted,
                "completed": CompletedRunSource(client, self.facts, own.dags, watched, clock),
                "assets": AssetSource(client, self.facts, clock),
                "object": ObjectSource(self.objects, clock),
                "sensor": SensorSource(sensors, own.wake, clock),
            }

        self.reconciler = TriggerReconciler(client, events, sources, made, clock)
