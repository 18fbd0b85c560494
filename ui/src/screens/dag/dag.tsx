import { useSignal } from "@preact/signals";
import type { DAGAnswer, DAGDetail, GraphAnswer, GridAnswer, RunsAnswer } from "../../api";
import { path, withQuery } from "../../api/client";
import { useResource } from "../../api/resource";
import { may } from "../../api/session";
import { Graph } from "../../canvas/graph";
import { t, word } from "../../i18n";
import { Empty, Foreign, Loaded, Next, State, When, Words } from "../../parts/basic";
import { RunsTable } from "../../parts/runs_table";
import { chosenTab, type Tab, Tabs } from "../../parts/tabs";
import { TriggersTable } from "../../parts/triggers_table";
import { go, place, queried, segments, to } from "../../router/router";
import { CodeTab } from "./code";
import { GridView } from "./grid";
import { Start } from "./start";
import { Trends } from "./trends";

export function Screen() {
  const [, namespace = "", name = ""] = segments.value;
  const topic = `dag:${namespace}/${name}`;
  const answer = useResource<DAGAnswer>(path("dags", namespace, name), [topic]);
  return (
    <div class="stack">
      <Loaded of={answer}>{(data) => <Shown answer={data} />}</Loaded>
    </div>
  );
}

function Shown({ answer }: { answer: DAGAnswer }) {
  const { dag } = answer;
  const tabs: Tab[] = [
    { id: "grid", label: t("dag.grid") },
    { id: "graph", label: t("dag.graph") },
    { id: "runs", label: t("nav.runs") },
    { id: "trends", label: t("dag.trends") },
    { id: "code", label: t("dag.code"), badge: answer.revisions.length || undefined },
    { id: "triggers", label: t("nav.triggers"), badge: answer.triggers.length },
  ];
  const tab = chosenTab(tabs);
  const starting = place.value.query.has("start");
  const next = dag.schedule.map((tick) => tick.next).filter((at) => at !== null);
  const soonest = next.length > 0 ? Math.min(...(next as number[])) : null;
  return (
    <>
      <header>
        <nav class="crumbs" aria-label={t("nav.dags")}>
          <a href={to(["dags"])}>{t("nav.dags")}</a>
          <span aria-hidden="true">/</span>
          <span class="muted">
            <Foreign text={dag.namespace} />
          </span>
        </nav>
        <div class="page-head">
          <h1>
            <Foreign text={dag.name} bound={260} />
          </h1>
          {dag.suspended && <State state="Suspended" />}
          {dag.invalid.length > 0 && <State state="Invalid" />}
          <span class="spread" />
          <a class="button" href={to(["assets"], { q: dag.name })}>
            {t("nav.assets")}
          </a>
          <button
            type="button"
            class="button primary"
            disabled={!may(dag.namespace, "dagruns", "create")}
            title={may(dag.namespace, "dagruns", "create") ? undefined : t("start.notAllowed")}
            onClick={() => go(queried({ start: "1" }))}
          >
            {t("start.run")}
          </button>
        </div>
        {dag.description && (
          <p class="muted described">
            <Foreign text={dag.description} bound={2000} />
          </p>
        )}
        {dag.invalid.map((text) => (
          <p key={text} class="why tone-fail">
            <Words text={text} bound={1200} />
          </p>
        ))}
        {answer.partial && (
          <p class="notice">
            <Words text={answer.partial} />
          </p>
        )}
        <dl class="strip">
          <div>
            <dt>{t("run.tasks")}</dt>
            <dd class="num">{dag.tasks}</dd>
          </div>
          <div>
            <dt>{t("dags.next")}</dt>
            <dd>
              {soonest === null ? (
                <span class="muted">{t("dag.noNext")}</span>
              ) : (
                <>
                  <When at={soonest} />{" "}
                  <span class="muted">
                    (<Next at={soonest} />)
                  </span>
                </>
              )}
            </dd>
          </div>
          <div>
            <dt>{t("run.revision")}</dt>
            <dd class="num">{dag.revision ?? "–"}</dd>
          </div>
          {dag.owner && (
            <div>
              <dt>{t("dags.owner")}</dt>
              <dd>
                <Foreign text={dag.owner} bound={120} />
              </dd>
            </div>
          )}
          {dag.managedBy && (
            <div>
              <dt>{t("run.managedBy")}</dt>
              <dd>
                <Foreign text={dag.managedBy} bound={120} />
              </dd>
            </div>
          )}
          {dag.calls.length > 0 && (
            <div>
              <dt>{t("dag.calls")}</dt>
              <dd class="row">
                {dag.calls.map((name) => (
                  <a key={name} href={to(["dags", dag.namespace, name])}>
                    <Foreign text={name} bound={80} />
                  </a>
                ))}
              </dd>
            </div>
          )}
        </dl>
      </header>
      <section class="section" aria-label={tabs.find((one) => one.id === tab)!.label}>
        <Tabs tabs={tabs} label={dag.name.slice(0, 80)} />
        <div role="tabpanel" aria-labelledby={`tab-${tab}`}>
          {tab === "grid" && <GridTab dag={dag} />}
          {tab === "graph" && <GraphTab dag={dag} />}
          {tab === "runs" && <RunsTab dag={dag} />}
          {tab === "trends" && (
            <div class="section-body">
              <Trends namespace={dag.namespace} name={dag.name} />
            </div>
          )}
          {tab === "code" && (
            <div class="section-body">
              <CodeTab answer={answer} />
            </div>
          )}
          {tab === "triggers" &&
            (answer.triggers.length === 0 ? (
              <Empty title={t("dag.noTriggers")} icon="triggers">
                <p>{t("dag.noTriggers.todo")}</p>
              </Empty>
            ) : (
              <TriggersTable triggers={answer.triggers} />
            ))}
        </div>
      </section>
      {starting && (
        <Start
          dag={dag}
          like={place.value.query.get("like")}
          close={() => go(queried({ start: null, like: null }), true)}
        />
      )}
    </>
  );
}

function GridTab({ dag }: { dag: DAGDetail }) {
  const text = useSignal("");
  const count = useSignal(25);
  const before = useSignal<string[]>([]);
  const grid = useResource<GridAnswer>(
    withQuery(`${path("dags", dag.namespace, dag.name)}/grid`, { runs: count.value, before: before.value.at(-1) }),
    [`dag:${dag.namespace}/${dag.name}`],
  );
  return (
    <Loaded of={grid} rows={10}>
      {(data) =>
        data.runs.length === 0 ? (
          <Empty title={t("runs.none")} icon="runs">
            <p>{t("runs.none.todo")}</p>
          </Empty>
        ) : (
          <>
            <div class="row section-body grid-bar">
              <input
                type="search"
                list={undefined}
                class="field small"
                aria-label={t("run.filter")}
                placeholder={t("run.task")}
                onInput={(event) => (text.value = event.currentTarget.value)}
              />
              <div class="segmented" role="group" aria-label={t("dag.columns")}>
                {[25, 50, 100].map((number) => (
                  <button
                    key={number}
                    type="button"
                    aria-pressed={count.value === number}
                    onClick={() => (count.value = number)}
                  >
                    {number}
                  </button>
                ))}
              </div>
              <span class="spread" />
              <button
                type="button"
                class="button small"
                disabled={!data.next}
                onClick={() => {
                  if (data.next) before.value = [...before.value, data.next];
                }}
              >
                ← {t("dag.older")}
              </button>
              <button
                type="button"
                class="button small"
                disabled={before.value.length === 0}
                onClick={() => (before.value = before.value.slice(0, -1))}
              >
                {t("dag.newer")} →
              </button>
            </div>
            <GridView grid={data} namespace={dag.namespace} text={text.value} />
          </>
        )
      }
    </Loaded>
  );
}

function GraphTab({ dag }: { dag: DAGDetail }) {
  const graph = useResource<GraphAnswer>(`${path("dags", dag.namespace, dag.name)}/graph`, [
    `dag:${dag.namespace}/${dag.name}`,
  ]);
  const chosen = useSignal<number | null>(null);
  return (
    <Loaded of={graph}>
      {(data) => {
        const call = chosen.value === null ? "" : (data.calls[chosen.value] ?? "");
        return (
          <>
            <Graph
              nodes={data.names.map((name, at) => ({
                name,
                text: `${word("kind", data.kinds[at] ?? "")}${data.fan[at] ? ` · ${t("dag.fan")}` : ""}${data.calls[at] ? ` → ${data.calls[at]}` : ""}`,
                state: "",
              }))}
              edges={data.edges}
              chosen={chosen.value}
              choose={(node) => (chosen.value = node === chosen.value ? null : node)}
              label={t("run.graph")}
            />
            {call && (
              <p class="quiet-line">
                <a href={to(["dags", dag.namespace, call])}>
                  {t("dag.opens")} <Foreign text={call} bound={120} />
                </a>
              </p>
            )}
          </>
        );
      }}
    </Loaded>
  );
}

function RunsTab({ dag }: { dag: DAGDetail }) {
  const runs = useResource<RunsAnswer>(withQuery("runs", { namespace: dag.namespace, dag: dag.name, limit: 50 }), [
    `dag:${dag.namespace}/${dag.name}`,
  ]);
  return (
    <Loaded of={runs}>
      {(data) =>
        data.runs.length === 0 ? (
          <Empty title={t("runs.none")} icon="runs">
            <p>{t("runs.none.todo")}</p>
          </Empty>
        ) : (
          <>
            <RunsTable runs={data.runs} label={t("nav.runs")} without={["namespace"]} />
            {data.more && (
              <a class="button quiet more" href={to(["runs"], { dag: dag.name })}>
                {t("common.more")}
              </a>
            )}
          </>
        )
      }
    </Loaded>
  );
}
