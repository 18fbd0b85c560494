"""The answers of the server that stands in have the shapes of the real one's."""

import pytest
from tradewind.server.answers import actions, dags, objects, runs, session, tasks
from tradewind.server.answers.base import Answer

from ui.answers import World

RUN = "runs/people/leave-forecast-28400000"
DAG = "dags/people/leave-forecast"
SHAPES: dict[str, type[Answer]] = {
    "me": session.MeAnswer,
    "search": session.SearchAnswer,
    "health": session.HealthAnswer,
    "overview": objects.OverviewAnswer,
    "runs": runs.RunsAnswer,
    RUN: runs.RunAnswer,
    f"{RUN}/tasks": tasks.TasksAnswer,
    f"{RUN}/tasks/train[3]": tasks.TaskAnswer,
    f"{RUN}/waits": runs.WaitsAnswer,
    "dags": objects.DAGsAnswer,
    DAG: dags.DAGAnswer,
    f"{DAG}/grid": dags.GridAnswer,
    f"{DAG}/graph": dags.GraphAnswer,
    f"{DAG}/form": dags.FormAnswer,
    f"{DAG}/trend": dags.TrendAnswer,
    f"{DAG}/revisions/13": dags.RevisionAnswer,
    "approvals": objects.ApprovalsAnswer,
    "triggers": objects.TriggersAnswer,
    "backfills": objects.BackfillsAnswer,
    "pools": objects.PoolsAnswer,
    "assets": objects.AssetsAnswer,
}


@pytest.mark.parametrize("path", SHAPES)
def test_the_stand_in_answers_in_the_shapes_of_the_server(path: str) -> None:
    SHAPES[path].model_validate(World().answer(path.split("/"), {}))


def test_its_previews_have_the_shapes_of_the_server() -> None:
    world = World()
    actions.ActionAnswer.model_validate(world.act([*RUN.split("/"), "actions"], {"action": "cancel"}))
    actions.StartAnswer.model_validate(world.act([*DAG.split("/"), "runs"], {"params": {}}))
    actions.DecisionAnswer.model_validate(world.act(["approvals", "people", "sign-off"], {"approve": True}))
