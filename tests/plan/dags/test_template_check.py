"""A template is checked before it is used: with its defaults, and with samples for required params."""

from typing import Any

import pytest
import yaml
from tradewind.plan.dags.compile import TemplateNotFound
from tradewind.plan.dags.template_check import sample, sampled, signature
from tradewind.plan.documents.problem import Invalid
from tradewind.plan.templates.render import Ref

TASK, DAG = Ref("TaskTemplate", "me"), Ref("DAGTemplate", "me")
SHELF: dict[Ref, Any] = {
    Ref("TaskTemplate", "picky"): yaml.safe_load(
        "{params: {t: {pattern: '^[A-Z]$'}, wait: {}}, task: {image: x, timeout: '$[[ inputs.wait ]]', env: {T: '$[[ inputs.t ]]'}}}"
    ),
    Ref("TaskTemplate", "back"): yaml.safe_load("{task: {template: {name: me}}}"),
}


@pytest.mark.parametrize(
    ("ref", "text"),
    [
        (TASK, "{task: {image: x}}"),
        (TASK, "{task: {command: [x]}}"),
        (
            TASK,
            "{params: {wait: {}, policy: {}, n: {}}, task: {timeout: '$[[ inputs.wait ]]', http: {url: x, method: '$[[ inputs.policy ]]'}, priority: '$[[ inputs.n ]]'}}",
        ),
        (
            TASK,
            "{params: {n: {type: integer}}, task: {retries: {limit: '$[[ inputs.n * 2 ]]', retryOn: exitCode == inputs.n}}}",
        ),
        (TASK, "{params: {rule: {}}, task: {triggerRule: inputs.rule, dependsOn: [other]}}"),
        (TASK, "{params: {after: {}}, task: {dependsOn: ['$[[ inputs.after ]]']}}"),
        (TASK, "{task: {triggerRule: Failed(other), when: tasks.other.outputs.n > params.least}}"),
        (
            TASK,
            "{task: {dependsOn: [other], triggerRule: Failed(other), env: {X: '$[[ item.name ]] $[[ tasks.other.outputs.map(o, o.x) ]]'}}}",
        ),
        (TASK, "{params: {options: {type: object}}, task: {env: {D: '$[[ inputs.options.delimiter ]]'}}}"),
        (
            TASK,
            "{params: {x: {}}, task: {template: {name: picky, params: {t: '$[[ inputs.x ]]', wait: '$[[ inputs.x ]]'}}}}",
        ),
        (
            TASK,
            "{params: {x: {}}, task: {template: {name: picky, params: {t: '$[[ inputs.x ]]', wait: '$[[ inputs.x ]]m'}}}}",
        ),
        (DAG, "{params: {p: {}}, dag: {concurrencyPolicy: '$[[ inputs.p ]]', tasks: {a: {image: x}}}}"),
        (
            DAG,
            "{params: {items: {type: list}}, dag: {tasks: {a: {forEach: {items: '$[[ inputs.items ]]'}}, b: {dependsOn: [a], when: tasks.a.outputs.size() > 0}}}}",
        ),
    ],
)
def test_a_template_that_can_be_used_is_valid(ref: Ref, text: str) -> None:
    sample(ref, yaml.safe_load(text), SHELF.get)


@pytest.mark.parametrize(
    ("ref", "text", "wanted"),
    [
        (TASK, "{}", "spec.task: required"),
        (DAG, "{dag: {}}", "spec.dag.tasks: required"),
        (TASK, "{task: {image: x, colour: red}}", "spec.task.colour: unknown field"),
        (
            TASK,
            "{task: {image: x, env: {X: '$[[ inputs.nope ]]'}}}",
            "spec.task.env.X: `inputs.nope`: there is no inputs.nope; declared are: none",
        ),
        (
            TASK,
            "{params: {t: {}}, task: {when: inputs.t > 3}}",
            'spec.task.when: `"sample" > 3` (at character 10): > can\'t be used between text and an integer',
        ),
        (TASK, "{params: {t: {}}, task: {env: {X: '$[[ inputs.t +  ]]'}}}", 'spec.task.env.X: `"sample" +`'),
        (
            TASK,
            "{params: {n: {default: many}}, task: {priority: '$[[ inputs.n ]]'}}",
            "spec.task.priority: 'many' is not a whole number; write one such as 3",
        ),
        (
            TASK,
            "{params: {n: {type: integer, default: many}}, task: {}}",
            "spec.params.n.default: 'many' is not an integer",
        ),
        (TASK, "{params: {n: {type: integer, min: a}}, task: {}}", "spec.params.n.min: 'a' is not an integer"),
        (TASK, "{params: {a-b: {}}, task: {}}", "spec.params.a-b: not a param name"),
        (TASK, "{task: {script: {shell: x}, command: [x]}}", "spec.task: script and command/args exclude each other"),
        (
            TASK,
            "{params: {t: {}}, task: {script: {shell: 'echo $[[ inputs.t ]]'}}}",
            "spec.task.script.shell: a script is never interpolated",
        ),
        (TASK, "{task: {when: x +}}", "spec.task.when: `x +`"),
        (TASK, "{task: {retries: {retryOn: nonsense}}}", "spec.task.retries.retryOn: `nonsense`"),
        (TASK, "{task: {triggerRule: Sometimes}}", "spec.task.triggerRule: there is no rule 'Sometimes'"),
        (TASK, "{task: {template: {name: me}}}", "spec.task.template: templates use each other in a cycle: me -> me"),
        (
            TASK,
            "{task: {template: {name: back}}}",
            "spec.task.template: templates use each other in a cycle: me -> back -> me; remove one of these uses (TaskTemplate back, spec.task.template)",
        ),
        (
            TASK,
            "{task: {template: {name: picky, params: {t: x, wait: 1m}}}}",
            "spec.task.template.params.t: 'x' does not match",
        ),
        (DAG, "{dag: {tasks: {a: {image: x, dependsOn: [b]}}}}", "spec.dag.tasks.a.dependsOn[0]: there is no task 'b'"),
        (
            DAG,
            "{dag: {tasks: {a: {image: x, dependsOn: [b]}, b: {image: x, dependsOn: [a]}}}}",
            "spec.dag.tasks.a.dependsOn: tasks depend on each other in a cycle: a -> b -> a",
        ),
        (
            DAG,
            "{dag: {tasks: {a: {image: x, when: params.region == ''}}}}",
            "spec.dag.tasks.a.when: `params.region == ''` (at character 7): there is no params.region",
        ),
    ],
)
def test_a_mistake_has_the_templates_own_path(ref: Ref, text: str, wanted: str) -> None:
    with pytest.raises(Invalid) as caught:
        sample(ref, yaml.safe_load(text), SHELF.get)
    assert wanted in str(caught.value)


def test_a_chain_with_a_link_missing_is_not_complete() -> None:
    spec = {"task": {"template": {"name": "nowhere"}}}
    with pytest.raises(TemplateNotFound):
        sample(TASK, spec)
    assert sampled(TASK, spec).rendering.missing


def test_params_are_shown_in_a_word() -> None:
    spec = sample(TASK, {"params": {"n": {"default": ""}, "b": {}, "a": {}}, "task": {}}).spec
    assert signature(spec) == "a, b, n?"
