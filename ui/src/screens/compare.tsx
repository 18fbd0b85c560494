import type { Json, RunAnswer, RunRow, RunsAnswer, TasksAnswer } from "../api";
import { path, withQuery } from "../api/client";
import { useResource } from "../api/resource";
import { t } from "../i18n";
import { Empty, Foreign, Loaded, Section, State, Took, When } from "../parts/basic";
import { runState } from "../parts/runs_table";
import { Table } from "../parts/table";
import { go, segments, to } from "../router/router";
import { took } from "../text/time";
import { changed, type Pair, pairs } from "./comparison";
import { shown } from "./run/facts";

export function Screen() {
  const [, namespace = "", name = "", other = ""] = segments.value;
  const after = useResource<RunAnswer>(path("runs", namespace, name), [`run:${namespace}/${name}`]);
  const dag = after.data.value?.run.dag;
  const runs = useResource<RunsAnswer>(dag ? withQuery("runs", { namespace, dag, limit: 100 }) : null);
  return (
    <div class="stack">
      <div class="page-head">
        <h1>{t("compare.title")}</h1>
      </div>
      <Loaded of={after}>
        {(answer) => (
          <Loaded of={runs}>
            {(list) => {
              const others = list.runs.filter((run) => run.name !== name);
              const before =
                other === "previous"
                  ? (others.find((run) => run.created < answer.run.created && run.phase === "Succeeded") ??
                    others.find((run) => run.created < answer.run.created))
                  : { name: other };
              return (
                <>
                  <Chooser namespace={namespace} name={name} chosen={before?.name ?? ""} runs={others} />
                  {before ? (
                    <Both key={before.name} after={answer} namespace={namespace} before={before.name} />
                  ) : (
                    <Empty title={t("compare.none")}>
                      <p>{t("compare.none.todo")}</p>
                    </Empty>
                  )}
                </>
              );
            }}
          </Loaded>
        )}
      </Loaded>
    </div>
  );
}

function Chooser({
  namespace,
  name,
  chosen,
  runs,
}: {
  namespace: string;
  name: string;
  chosen: string;
  runs: RunRow[];
}) {
  return (
    <label class="row">
      <span class="muted">{t("compare.with")}</span>
      <select
        class="field"
        value={chosen}
        onChange={(event) => go(to(["compare", namespace, name, event.currentTarget.value]), true)}
      >
        {!runs.some((run) => run.name === chosen) && <option value={chosen}>{chosen.slice(0, 120)}</option>}
        {runs.map((run) => (
          <option key={run.uid} value={run.name}>
            {run.name.slice(0, 120)} · {t(`state.${run.phase}` as "state.Failed")}
          </option>
        ))}
      </select>
    </label>
  );
}

function Both({ after, namespace, before }: { after: RunAnswer; namespace: string; before: string }) {
  const other = useResource<RunAnswer>(path("runs", namespace, before));
  const tasks = useResource<TasksAnswer>(`${path("runs", namespace, after.run.name)}/tasks`, [
    `run:${namespace}/${after.run.name}`,
  ]);
  const others = useResource<TasksAnswer>(`${path("runs", namespace, before)}/tasks`);
  return (
    <Loaded of={other}>
      {(answer) => (
        <>
          <div class="columns compared">
            {[answer.run, after.run].map((run) => (
              <section key={run.name} class="section section-body" aria-label={run.name.slice(0, 120)}>
                <h2>
                  <a href={to(["runs", run.namespace, run.name])}>
                    <Foreign text={run.name} bound={200} />
                  </a>
                </h2>
                <dl class="strip">
                  <div>
                    <dt>{t("runs.state")}</dt>
                    <dd>
                      <State state={runState(run)} />
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
                      <When at={run.started} />
                    </dd>
                  </div>
                  <div>
                    <dt>{t("run.revision")}</dt>
                    <dd class="num">{run.revisionNumber ?? "–"}</dd>
                  </div>
                </dl>
              </section>
            ))}
          </div>
          <Section title={t("compare.values")}>
            <div class="section-body stack">
              {answer.run.revision !== after.run.revision &&
                answer.run.revisionNumber !== null &&
                after.run.revisionNumber !== null && (
                  <p>
                    <a
                      href={to(["dags", after.run.namespace, after.run.dag], {
                        tab: "code",
                        revision: String(after.run.revisionNumber),
                        against: String(answer.run.revisionNumber),
                      })}
                    >
                      {t("dag.difference", { from: answer.run.revisionNumber, to: after.run.revisionNumber })}
                    </a>
                  </p>
                )}
              <Changes title={t("run.params")} before={answer.run.params} after={after.run.params} />
              <Changes title={t("run.results")} before={answer.run.results} after={after.run.results} />
            </div>
          </Section>
          <Section title={t("run.tasks")}>
            <Loaded of={tasks}>
              {(now) => <Loaded of={others}>{(then) => <Tasks rows={pairs(then, now, Date.now())} />}</Loaded>}
            </Loaded>
          </Section>
        </>
      )}
    </Loaded>
  );
}

function Changes({
  title,
  before,
  after,
}: {
  title: string;
  before: Record<string, Json>;
  after: Record<string, Json>;
}) {
  const rows = changed(before, after);
  return (
    <div>
      <h3>{title}</h3>
      {rows.length === 0 ? (
        <p class="muted">{t("compare.same")}</p>
      ) : (
        <Table
          label={title}
          kind="small"
          head={
            <>
              <th>{t("compare.name")}</th>
              <th>{t("compare.before")}</th>
              <th>{t("compare.after")}</th>
            </>
          }
        >
          {rows.map((row) => (
            <tr key={row.name}>
              <td>
                <Foreign text={row.name} bound={120} />
              </td>
              <td class="mono">{row.before === undefined ? "–" : <Foreign text={shown(row.before)} bound={600} />}</td>
              <td class="mono">{row.after === undefined ? "–" : <Foreign text={shown(row.after)} bound={600} />}</td>
            </tr>
          ))}
        </Table>
      )}
    </div>
  );
}

function Tasks({ rows }: { rows: Pair[] }) {
  const first = rows.findIndex((row) => row.differs !== null);
  return (
    <Table
      label={t("run.tasks")}
      head={
        <>
          <th>{t("run.task")}</th>
          <th colSpan={2}>{t("compare.before")}</th>
          <th colSpan={2}>{t("compare.after")}</th>
          <th>{t("compare.difference")}</th>
        </>
      }
    >
      {rows.slice(0, 1000).map((row, at) => (
        <tr key={row.name} class={at === first ? "first-difference" : ""} data-row>
          <td class="name">
            <Foreign text={row.name} bound={120} />
          </td>
          {[row.before, row.after].map((side, index) => [
            <td key={`${index} state`}>{side ? <State state={side.state} /> : <span class="muted">–</span>}</td>,
            <td key={`${index} time`} class="num muted">
              {side ? took(side.worked) : ""}
              {side && side.waited >= 1 ? ` (+${took(side.waited)})` : ""}
            </td>,
          ])}
          <td class={row.differs ? "tone-wait toned" : "muted"}>
            {row.differs ? t(`compare.differs.${row.differs}`) : ""}
            {at === first && <b> · {t("compare.first")}</b>}
          </td>
        </tr>
      ))}
    </Table>
  );
}
