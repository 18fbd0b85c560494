/** DAGs as rows with their latest runs; sorted by what needs attention, or by name. */

import { useSignal } from "@preact/signals";
import type { DAGRow } from "../api";
import { t } from "../i18n";
import { to } from "../router/router";
import { moment, took } from "../text/time";
import { Bars } from "./bars";
import { Foreign, Next, State, Words } from "./basic";
import { useSettled } from "./settled";

type Order = "attention" | "name" | "next";

/** What needs a person comes first: invalid, then the last run failed, then how often it fails. */
export function attention(dag: DAGRow): number {
  const last = [...dag.latest].reverse().find((run) => run.phase !== "Running" && run.phase !== "Queued");
  return (
    (dag.invalid ? 4 : 0) + (last?.phase === "Failed" ? 2 : 0) + (1 - (dag.success ?? 1)) + (dag.suspended ? 0.01 : 0)
  );
}

export function sorted(dags: DAGRow[], by: Order): DAGRow[] {
  const named = (a: DAGRow, b: DAGRow) => a.name.localeCompare(b.name) || a.namespace.localeCompare(b.namespace);
  const next = (dag: DAGRow) => dag.next ?? Number.POSITIVE_INFINITY;
  return [...dags].sort((a, b) => {
    if (by === "attention") return attention(b) - attention(a) || named(a, b);
    if (by === "next") return next(a) === next(b) ? named(a, b) : next(a) - next(b);
    return named(a, b);
  });
}

const STEP = 100;

export function DagTable({ dags }: { dags: DAGRow[] }) {
  const by = useSignal<Order>("attention");
  const most = useSignal(STEP);
  const settled = useSettled(sorted(dags, by.value), (dag) => `${dag.namespace}/${dag.name}`, by.value);
  const several = new Set(dags.map((dag) => dag.namespace)).size > 1;
  const heading = (order: Order, label: string) => (
    <button type="button" class="sort" aria-pressed={by.value === order} onClick={() => (by.value = order)}>
      {label}
    </button>
  );
  return (
    <div class="table-wrap" {...settled.hold}>
      <table aria-label={t("nav.dags")}>
        <thead>
          <tr>
            <th>
              {heading("attention", t("dags.attention"))} {heading("name", t("dags.name"))}
            </th>
            {several && <th>{t("header.namespace")}</th>}
            <th>{t("dags.latest")}</th>
            <th class="right">{t("dags.success")}</th>
            <th class="right">{t("dags.p50")}</th>
            <th>{heading("next", t("dags.next"))}</th>
            <th>{t("dags.owner")}</th>
          </tr>
        </thead>
        <tbody>
          {settled.rows.slice(0, most.value).map((dag) => (
            <tr key={`${dag.namespace}/${dag.name}`} data-row>
              <td class="name">
                <a href={to(["dags", dag.namespace, dag.name])}>
                  <Foreign text={dag.name} bound={120} />
                </a>{" "}
                {dag.invalid && <State state="Invalid" />} {dag.suspended && <State state="Suspended" />}
                {(dag.invalid || dag.description) && (
                  <span class="sub clamp">
                    <Words text={dag.invalid || dag.description} bound={160} />
                  </span>
                )}
              </td>
              {several && (
                <td class="muted">
                  <Foreign text={dag.namespace} />
                </td>
              )}
              <td>
                {dag.latest.length > 0 ? (
                  <Bars namespace={dag.namespace} name={dag.name} runs={dag.latest} />
                ) : (
                  <span class="muted">{t("dags.noRuns")}</span>
                )}
              </td>
              <td class="right num">{dag.success === null ? "–" : `${Math.round(dag.success * 100)} %`}</td>
              <td class="right num" title={`p95 ${took(dag.p95)}`}>
                {took(dag.p50)}
              </td>
              <td>
                {dag.suspended || dag.next === null ? (
                  <span class="muted">
                    <Foreign text={dag.schedule || "–"} bound={60} />
                  </span>
                ) : (
                  <>
                    <Next at={dag.next} />
                    <span class="sub">{moment(dag.next)}</span>
                  </>
                )}
              </td>
              <td class="muted">
                <Foreign text={dag.owner || "–"} bound={60} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {settled.rows.length > most.value && (
        <button type="button" class="button quiet more" onClick={() => (most.value += STEP)}>
          {t("common.more")}
        </button>
      )}
    </div>
  );
}
