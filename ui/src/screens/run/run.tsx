import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo } from "preact/hooks";
import type { ApprovalRow, ApprovalsAnswer, RunAnswer, RunDetail, TasksAnswer } from "../../api";
import { path, withQuery } from "../../api/client";
import { useResource } from "../../api/resource";
import { Graph } from "../../canvas/graph";
import { t, word } from "../../i18n";
import { Ago, Foreign, Loaded, Section, State, Took, When, Words } from "../../parts/basic";
import { ProgressBar, runState } from "../../parts/runs_table";
import { look } from "../../parts/shapes";
import { useKey } from "../../router/keys";
import { go, place, queried, segments, to } from "../../router/router";
import { RunActions } from "./actions";
import { Asked } from "./decide";
import { RunFacts } from "./facts";
import { around, type Row, stateOf, tasksOf, treeRows } from "./rows";
import { TaskPanel } from "./task_panel";
import { TaskTable } from "./task_table";
import { Legend, Timeline, type Window } from "./timeline";
import { WaitChains } from "./wait_chains";

const VIEWS = ["gantt", "graph", "table"] as const;

export function Screen() {
  const [, namespace = "", name = ""] = segments.value;
  const base = path("runs", namespace, name);
  const topic = `run:${namespace}/${name}`;
  const run = useResource<RunAnswer>(base, [topic]);
  const tasks = useResource<TasksAnswer>(`${base}/tasks`, [topic]);
  return (
    <div class="stack run-page">
      <Loaded of={run}>
        {(answer) => (
          <>
            <Head answer={answer} />
            <Asking run={answer.run}>
              {(approvals, decided) => (
                <>
                  {approvals.length > 0 && <Asked approvals={approvals} done={decided} />}
                  <Loaded of={tasks}>
                    {(columns) => (
                      <Tasks
                        run={answer.run}
                        columns={columns}
                        partial={answer.partial ?? columns.partial}
                        approvals={approvals}
                        decided={decided}
                      />
                    )}
                  </Loaded>
                </>
              )}
            </Asking>
            <RunFacts run={answer.run} />
          </>
        )}
      </Loaded>
    </div>
  );
}

/** What the run asks people; nothing where the user may not list approvals. */
function Asking({
  run,
  children,
}: {
  run: RunDetail;
  children: (approvals: ApprovalRow[], decided: () => void) => JSX.Element;
}) {
  const address = withQuery("approvals", { namespace: run.namespace, run: run.name });
  const asked = useResource<ApprovalsAnswer>(run.phase === "Running" ? address : null, ["approvals"]);
  return children(run.phase === "Running" ? (asked.data.value?.approvals ?? []) : [], asked.again);
}

function Head({ answer }: { answer: RunAnswer }) {
  const { run } = answer;
  return (
    <header class="run-head">
      <nav class="crumbs" aria-label={t("nav.dags")}>
        <a href={to(["runs"])}>{t("nav.runs")}</a>
        <span aria-hidden="true">/</span>
        <span class="muted">
          <Foreign text={run.namespace} />
        </span>
        <span aria-hidden="true">/</span>
        <a href={to(["dags", run.namespace, run.dag])}>
          <Foreign text={run.dag} bound={120} />
        </a>
      </nav>
      <div class="page-head">
        <h1>
          <Foreign text={run.name} bound={260} />
        </h1>
        <span role="status">
          <State state={runState(run)} words={run.stopping ? t("runs.stopping") : undefined} />
        </span>
        <span class="spread" />
        <RunActions run={run} can={answer.can} />
      </div>
      {run.why && (
        <p class={`why tone-${look(run.phase).tone}`}>
          <Words text={run.why} bound={1200} />
        </p>
      )}
      <dl class="strip">
        <div>
          <dt>{t("runs.progress")}</dt>
          <dd>
            <ProgressBar progress={run.progress} />
          </dd>
        </div>
        <div>
          <dt>{t("runs.took")}</dt>
          <dd>
            <Took seconds={run.seconds} since={run.started} />
          </dd>
        </div>
        <div>
          <dt>{t("run.started")}</dt>
          <dd>
            <When at={run.started} />{" "}
            {run.started !== null && (
              <span class="muted">
                (<Ago at={run.started} />)
              </span>
            )}
          </dd>
        </div>
        {run.logicalDate !== null && (
          <div>
            <dt>{t("run.logicalDate")}</dt>
            <dd>
              <When at={run.logicalDate} />
            </dd>
          </div>
        )}
        <div>
          <dt>{t("runs.how")}</dt>
          <dd>
            {word("how", run.how)}
            {run.maker && (
              <span class="muted">
                {" "}
                <Foreign text={run.maker} bound={80} />
              </span>
            )}
            {run.by && (
              <span class="muted">
                {" "}
                · <Foreign text={run.by} bound={80} />
              </span>
            )}
          </dd>
        </div>
        <div>
          <dt>{t("run.revision")}</dt>
          <dd class="num">
            {run.revisionNumber === null ? (
              <Foreign text={run.revision || "–"} bound={60} />
            ) : (
              <a href={to(["dags", run.namespace, run.dag], { tab: "code", revision: String(run.revisionNumber) })}>
                {t("run.revisionNumber", { number: run.revisionNumber })}
              </a>
            )}
          </dd>
        </div>
      </dl>
    </header>
  );
}

function Tasks({
  run,
  columns,
  partial,
  approvals,
  decided,
}: {
  run: RunDetail;
  columns: TasksAnswer;
  partial: string | null;
  approvals: ApprovalRow[];
  decided: () => void;
}) {
  const query = place.value.query;
  const view = VIEWS.find((one) => one === query.get("view")) ?? "gantt";
  const chosen = query.get("task");
  const open = useSignal<ReadonlySet<string>>(new Set());
  const text = useSignal("");
  const failedFirst = useSignal(true);
  const span = useSignal<Window | null>(null);
  useEffect(() => {
    if (chosen === null) return;
    const { task, group } = around(columns, chosen);
    const next = new Set(open.value);
    if (task) next.add(task);
    next.delete(group);
    open.value = next;
  }, [chosen]);
  const rows = useMemo(
    () => treeRows(columns, { open: open.value, text: text.value, failedFirst: failedFirst.value }),
    [columns, open.value, text.value, failedFirst.value],
  );
  const choose = (key: string) => go(queried({ task: key === chosen ? null : key }), true);
  const toggle = (row: Row) => {
    const next = new Set(open.value);
    if (next.has(row.id)) next.delete(row.id);
    else next.add(row.id);
    open.value = next;
  };
  useKey("w", () => go(queried({ tab: "why", task: chosen ?? firstOf(columns) }), true));
  useKey("l", () => go(queried({ tab: "log", task: chosen ?? firstOf(columns) }), true));
  const live = run.phase === "Running";
  const row = chosen === null ? -1 : columns.key.indexOf(chosen);
  return (
    <>
      <Section
        title={t("run.tasks")}
        count={columns.names.length}
        aside={
          <>
            <input
              type="search"
              list={undefined}
              class="field small"
              aria-label={t("run.filter")}
              placeholder={t("run.filter")}
              onInput={(event) => (text.value = event.currentTarget.value)}
            />
            <label class="check">
              <input
                type="checkbox"
                checked={failedFirst.value}
                onChange={(event) => (failedFirst.value = event.currentTarget.checked)}
              />
              {t("run.failedFirst")}
            </label>
            <div class="segmented" role="group" aria-label={t("run.view")}>
              {VIEWS.map((one) => (
                <button
                  key={one}
                  type="button"
                  aria-pressed={one === view}
                  onClick={() => go(queried({ view: one === "gantt" ? null : one }), true)}
                >
                  {t(`run.view.${one}`)}
                </button>
              ))}
            </div>
          </>
        }
      >
        {partial && (
          <p class="partial" role="note">
            <Words text={partial} />
          </p>
        )}
        {columns.n === 0 ? (
          <p class="quiet-line muted">{t("run.noTasks")}</p>
        ) : rows.length === 0 ? (
          <p class="quiet-line muted">{t("run.noneLike")}</p>
        ) : view === "table" ? (
          <TaskTable columns={columns} rows={rows} live={live} />
        ) : view === "graph" ? (
          <RunGraph columns={columns} chosen={row} choose={choose} />
        ) : (
          <>
            <Timeline
              columns={columns}
              rows={rows}
              chosen={chosen}
              choose={choose}
              toggle={toggle}
              gantt
              live={live}
              window={span}
            />
            <Legend columns={columns} />
          </>
        )}
      </Section>
      {chosen !== null && (
        <TaskPanel
          key={chosen}
          run={run}
          task={chosen}
          columns={columns}
          approvals={approvals.filter((one) => one.task === chosen)}
          decided={decided}
          close={() => go(queried({ task: null, tab: null, attempt: null }), true)}
        />
      )}
      {live && <WaitChains run={run} />}
    </>
  );
}

/** The task that is most worth a look: the first failed one, else the first active one. */
function firstOf(columns: TasksAnswer): string | null {
  const rows = treeRows(columns, { open: new Set(), text: "", failedFirst: true });
  const found =
    rows.find((row) => row.kind === "task" && row.state !== "Succeeded") ?? rows.find((row) => row.kind === "task");
  return found ? found.id : null;
}

function RunGraph({
  columns,
  chosen,
  choose,
}: {
  columns: TasksAnswer;
  chosen: number;
  choose: (key: string) => void;
}) {
  const tasks = tasksOf(columns);
  const critical = new Set(columns.critical.map((row) => columns.task[row]));
  const byName = new Map(tasks.map((task) => [columns.task[task.row]!, task]));
  const nodes = columns.names.map((name, at) => {
    const task = byName.get(at);
    const kind = word("kind", columns.kinds[at] ?? "");
    if (!task) return { name, text: kind, state: "", marked: false };
    const done = task.items.filter((row) => columns.end[row] !== null && columns.end[row] !== undefined).length;
    const items = columns.fan[at] ? ` · ${t("run.items", { done, total: task.items.length })}` : "";
    return { name, text: `${kind}${items}`, state: stateOf(columns, task.row), marked: critical.has(at) };
  });
  const row = chosen === -1 ? null : columns.task[chosen]!;
  return (
    <Graph
      nodes={nodes}
      edges={columns.edges}
      chosen={row}
      choose={(node) => {
        const task = byName.get(node);
        if (task) choose(columns.key[task.row]!);
      }}
      label={t("run.graph")}
    />
  );
}
