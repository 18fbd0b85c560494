/** One task or item: why it is where it is, its log, attempts, values, pod. */

import { useMemo } from "preact/hooks";
import type { ApprovalRow, AttemptRow, Budget, RunDetail, TaskAnswer, TasksAnswer } from "../../api";
import { path } from "../../api/client";
import { useResource } from "../../api/resource";
import { t, word } from "../../i18n";
import { Code, Foreign, Icon, Loaded, State, Took, When, Words } from "../../parts/basic";
import { Table } from "../../parts/table";
import { chosenTab, type Tab, Tabs } from "../../parts/tabs";
import { go, queried } from "../../router/router";
import { took } from "../../text/time";
import { Asked } from "./decide";
import { Conditions, Events, shown, Values } from "./facts";
import { Log } from "./log";
import { itemsOf, stateOf } from "./rows";
import { linkAddress } from "./wait_chains";

export function TaskPanel({
  run,
  task,
  columns,
  approvals,
  decided,
  close,
}: {
  run: RunDetail;
  task: string;
  columns: TasksAnswer;
  approvals: ApprovalRow[];
  decided: () => void;
  close: () => void;
}) {
  const detail = useResource<TaskAnswer>(`${path("runs", run.namespace, run.name)}/tasks/${path(task)}`, [
    `run:${run.namespace}/${run.name}`,
  ]);
  return (
    <section class="section task-panel" aria-label={task.slice(0, 200)}>
      <Loaded of={detail} rows={4}>
        {(answer) => (
          <>
            <Panel run={run} task={answer} columns={columns} close={close} />
            {approvals.length > 0 && <Asked approvals={approvals} done={decided} />}
          </>
        )}
      </Loaded>
      {detail.data.value === null && (
        <button type="button" class="button quiet panel-close" onClick={close}>
          {t("common.close")}
        </button>
      )}
    </section>
  );
}

function Panel({
  run,
  task,
  columns,
  close,
}: {
  run: RunDetail;
  task: TaskAnswer;
  columns: TasksAnswer;
  close: () => void;
}) {
  const fan = task.key === task.task && columns.fan[columns.names.indexOf(task.task)] === true;
  const items = fan ? <Items task={task} columns={columns} /> : null;
  const tabs: Tab[] = [
    { id: "why", label: t("task.why") },
    { id: "log", label: t("task.log") },
    { id: "attempts", label: t("task.attempts"), badge: fan ? undefined : task.attempts.length },
    { id: "values", label: t("task.values") },
    { id: "pod", label: t("task.pod") },
  ];
  const tab = chosenTab(tabs);
  return (
    <>
      <header class="panel-head">
        <State state={task.state} />
        <h2>
          <Foreign text={task.key} bound={160} />
        </h2>
        <span class="muted">{word("kind", task.kind)}</span>
        {task.links.map((link) => (
          <a key={link.name} href={linkAddress(link, run)}>
            <Foreign text={link.name} bound={120} />
          </a>
        ))}
        <span class="spread" />
        <button type="button" class="button icon-only quiet" onClick={close} aria-label={t("common.close")}>
          <Icon name="close" size={14} />
        </button>
      </header>
      <Tabs tabs={tabs} label={task.key.slice(0, 80)} small />
      <div class="panel-body" role="tabpanel" aria-labelledby={`tab-${tab}`}>
        {tab === "why" && <Why task={task} />}
        {tab === "log" && !fan && <Log run={run} task={task} />}
        {tab === "attempts" && !fan && <Attempts task={task} />}
        {tab === "values" && <InOut task={task} fan={fan} />}
        {tab === "pod" && (fan ? <Manifest task={task} /> : <PodOf task={task} />)}
        {items}
      </div>
    </>
  );
}

/** Items that are listed; the tree has them all. */
const ITEMS = 50;

/** The items of a fan-out, which have the logs, attempts and inputs. */
function Items({ task, columns }: { task: TaskAnswer; columns: TasksAnswer }) {
  const items = useMemo(() => itemsOf(columns, task.key), [columns, task.key]);
  if (items.length === 0) return <p class="muted">{t("task.items.none")}</p>;
  return (
    <section class="items" aria-label={t("task.items")}>
      <h3>{t("task.items")}</h3>
      <p class="muted">{t("task.items.words")}</p>
      <ul>
        {items.slice(0, ITEMS).map((row) => (
          <li key={columns.key[row]} class="row">
            <State state={stateOf(columns, row)} />
            <button type="button" class="link" onClick={() => go(queried({ task: columns.key[row]! }), true)}>
              <Foreign text={columns.key[row]!} bound={120} />
            </button>
            {columns.label[row] && (
              <span class="muted">
                <Foreign text={columns.label[row]!} bound={120} />
              </span>
            )}
            {columns.why[row] !== -1 && <Words text={columns.whys[columns.why[row]!] ?? ""} bound={200} />}
          </li>
        ))}
      </ul>
      {items.length > ITEMS && <p class="muted">{t("task.items.more", { count: items.length - ITEMS })}</p>}
    </section>
  );
}

function Why({ task }: { task: TaskAnswer }) {
  const { why } = task;
  return (
    <div class="why-panel">
      <p class="why-sentence">{why.sentence ? <Words text={why.sentence} bound={2000} /> : t("task.why.none")}</p>
      {why.todo && (
        <p class="why-todo">
          <b>{t("task.todo")}</b> <Words text={why.todo} bound={1000} />
        </p>
      )}
      {why.evidence.length > 0 && (
        <>
          <h3>{t("task.evidence")}</h3>
          <ul class="evidence">
            {why.evidence.map((piece, at) => (
              <li key={at}>
                <span class="chip">{piece.kind.slice(0, 40)}</span> <Words text={piece.text} bound={1000} />
              </li>
            ))}
          </ul>
        </>
      )}
      {task.description && (
        <p class="muted">
          <Foreign text={task.description} bound={1000} />
        </p>
      )}
      <dl class="facts">
        {task.dependsOn.length > 0 && <dt>{t("task.dependsOn")}</dt>}
        {task.dependsOn.length > 0 && (
          <dd>
            <Names names={task.dependsOn} />
          </dd>
        )}
        {task.neededBy.length > 0 && <dt>{t("task.neededBy")}</dt>}
        {task.neededBy.length > 0 && (
          <dd>
            <Names names={task.neededBy} />
          </dd>
        )}
      </dl>
    </div>
  );
}

function Names({ names }: { names: string[] }) {
  return (
    <span class="row">
      {names.slice(0, 40).map((name) => (
        <button key={name} type="button" class="link" onClick={() => go(queried({ task: name }), true)}>
          <Foreign text={name} bound={80} />
        </button>
      ))}
    </span>
  );
}

function BudgetBar({ label, budget, tone }: { label: string; budget: Budget; tone: string }) {
  const cells = Math.min(budget.limit, 20);
  return (
    <div class="budget">
      <span>{label}</span>
      <span class={`budget-cells tone-${tone}`} aria-hidden="true">
        {Array.from({ length: cells }, (_, at) => (
          <i key={at} class={at < budget.used ? "used" : ""} />
        ))}
      </span>
      <span class="num muted">{t("task.used", { used: budget.used, limit: budget.limit })}</span>
    </div>
  );
}

function Attempts({ task }: { task: TaskAnswer }) {
  if (task.attempts.length === 0) return <p class="muted">{t("task.attempts.none")}</p>;
  return (
    <>
      <div class="budgets">
        <BudgetBar label={t("task.failures")} budget={task.budgets.failures} tone="fail" />
        <BudgetBar label={t("task.losses")} budget={task.budgets.losses} tone="wait" />
      </div>
      <Table
        label={t("task.attempts")}
        kind="small"
        head={
          <>
            <th>#</th>
            <th>{t("runs.state")}</th>
            <th>{t("task.ended")}</th>
            <th>{t("run.started")}</th>
            <th class="right">{t("runs.took")}</th>
            <th>{t("run.waited")}</th>
            <th>{t("task.node")}</th>
          </>
        }
      >
        {task.attempts.map((attempt) => (
          <AttemptLine key={attempt.number} attempt={attempt} />
        ))}
      </Table>
    </>
  );
}

const STATES: Record<string, string> = { Stopped: "Cancelled" };

function AttemptLine({ attempt }: { attempt: AttemptRow }) {
  const seconds =
    attempt.started !== null && attempt.finished !== null ? (attempt.finished - attempt.started) / 1000 : null;
  const said = attempt.message.includes(`exit code ${attempt.exitCode}`);
  const exit = attempt.exitCode === null || said ? "" : t("task.exit", { code: attempt.exitCode });
  return (
    <tr class={attempt.counts ? "" : "faint"}>
      <td class="num">
        <button
          type="button"
          class="link"
          onClick={() => go(queried({ tab: "log", attempt: String(attempt.number) }), true)}
        >
          {attempt.number}
        </button>
      </td>
      <td>
        <State state={STATES[attempt.state] ?? attempt.state} />
      </td>
      <td>
        {attempt.reason && <b>{attempt.reason.slice(0, 80)}</b>}
        {attempt.reason && (exit || attempt.message) && ": "}
        {exit && <span class="num">{exit}</span>}
        {exit && attempt.message && "; "}
        <Foreign text={attempt.message} bound={600} />
        {attempt.budget && (
          <span class="sub">{t(attempt.budget === "loss" ? "task.budget.loss" : "task.budget.failure")}</span>
        )}
        {!attempt.counts && <span class="sub">{t("task.uncounted")}</span>}
      </td>
      <td class="muted">
        <When at={attempt.started} />
      </td>
      <td class="right">
        <Took seconds={seconds} since={attempt.finished === null ? attempt.started : null} />
      </td>
      <td class="muted">
        {attempt.waits.map(([cause, waited]) => `${word("cause", cause)} ${took(waited)}`).join(", ") || "–"}
      </td>
      <td class="muted">
        <Foreign text={attempt.node || "–"} bound={80} />
      </td>
    </tr>
  );
}

function InOut({ task, fan }: { task: TaskAnswer; fan: boolean }) {
  return (
    <div class="stack">
      <div>
        <h3>{t("task.inputs")}</h3>
        {fan ? (
          <p class="muted">{t("task.inputs.items")}</p>
        ) : task.inputs.length === 0 ? (
          <p class="muted">{t("task.inputs.none")}</p>
        ) : (
          <Table
            label={t("task.inputs")}
            kind="small"
            head={
              <>
                <th>{t("task.field")}</th>
                <th>{t("task.expression")}</th>
                <th>{t("task.value")}</th>
              </>
            }
          >
            {task.inputs.map((input) => (
              <tr key={input.name}>
                <td class="mono">
                  <Foreign text={input.name} bound={160} />
                </td>
                <td class="mono muted">
                  <Foreign text={input.expression} bound={600} />
                </td>
                <td class="mono">
                  {input.problem ? (
                    <span class="tone-fail toned">
                      <Foreign text={input.problem} bound={400} />
                    </span>
                  ) : (
                    <Foreign text={shown(input.value)} bound={1000} />
                  )}
                </td>
              </tr>
            ))}
          </Table>
        )}
      </div>
      <div class="columns">
        {task.item !== null && (
          <div>
            <h3>{t("task.item")}</h3>
            <p class="mono">
              <Foreign text={shown(task.item)} bound={2000} />
            </p>
          </div>
        )}
        <div>
          <h3>{t("task.outputs")}</h3>
          <Values values={task.outputs} none={t("task.outputs.none")} />
        </div>
        <div>
          <h3>{t("task.artifacts")}</h3>
          {task.artifacts.length === 0 ? (
            <p class="muted">{t("task.artifacts.none")}</p>
          ) : (
            <dl class="facts">
              {task.artifacts.map((artifact) => [
                <dt key={artifact.name}>
                  {artifact.direction === "in" ? "→ " : "← "}
                  <Foreign text={artifact.name} bound={120} />
                </dt>,
                <dd key={`${artifact.name}:`} class="mono">
                  <Foreign text={artifact.place} bound={400} />
                </dd>,
              ])}
            </dl>
          )}
        </div>
      </div>
    </div>
  );
}

function PodOf({ task }: { task: TaskAnswer }) {
  const { pod } = task;
  return (
    <div class="stack">
      {pod === null ? (
        <p class="muted">{t("task.pod.none")}</p>
      ) : (
        <>
          <dl class="strip plain">
            <div>
              <dt>{t("task.pod")}</dt>
              <dd class="mono">
                <Foreign text={pod.name} bound={260} />
              </dd>
            </div>
            <div>
              <dt>{t("runs.state")}</dt>
              <dd>
                <Foreign text={pod.phase} bound={40} />
              </dd>
            </div>
            <div>
              <dt>{t("task.node")}</dt>
              <dd>
                <Foreign text={pod.node || "–"} bound={120} />
              </dd>
            </div>
          </dl>
          <Conditions rows={pod.conditions} />
          <Events rows={pod.events} />
        </>
      )}
      <Manifest task={task} />
    </div>
  );
}

function Manifest({ task }: { task: TaskAnswer }) {
  return task.manifest ? <Code text={task.manifest} label={t("task.manifest")} /> : null;
}
