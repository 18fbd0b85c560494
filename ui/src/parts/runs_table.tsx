/** Runs as rows; used wherever there is more than one. */

import type { Progress, RunRow } from "../api";
import { t, word } from "../i18n";
import { to } from "../router/router";
import { Ago, Foreign, State, Took, Words } from "./basic";
import { useSettled } from "./settled";
import { Table } from "./table";

/** The word for a run's state: its phase, unless it is stopped or held. */
export function runState(run: { phase: string; suspended: boolean }): string {
  return run.suspended && (run.phase === "Running" || run.phase === "Queued") ? "Suspended" : run.phase;
}

export function ProgressBar({ progress }: { progress: Progress }) {
  const { done, total, failed, running } = progress;
  const share = (count: number) => ({ width: `${total === 0 ? 0 : (100 * count) / total}%` });
  return (
    <span class="progress">
      <span class="progress-track" aria-hidden="true">
        <i class="done" style={share(Math.max(0, done - failed))} />
        <i class="failed" style={share(failed)} />
        <i class="running" style={share(running ?? 0)} />
      </span>
      <span class="num muted">
        {done}/{total}
      </span>
    </span>
  );
}

export function RunsTable({
  runs,
  label,
  name,
  without = [],
}: {
  runs: RunRow[];
  label: string;
  name?: string;
  without?: ("dag" | "namespace")[];
}) {
  const settled = useSettled(runs, (run) => run.uid || `${run.namespace}/${run.name}`, name);
  const several = !without.includes("namespace") && new Set(runs.map((run) => run.namespace)).size > 1;
  return (
    <div class="settled" {...settled.hold}>
      {settled.fresh > 0 && (
        <div class="pill-place">
          <button type="button" class="pill" onClick={settled.show}>
            {t("common.new", { count: settled.fresh })}
          </button>
        </div>
      )}
      <Table
        label={label}
        kind="runs"
        head={
          <>
            <th>{t("runs.state")}</th>
            <th>{t("runs.run")}</th>
            {several && <th>{t("header.namespace")}</th>}
            <th>{t("runs.progress")}</th>
            <th class="right">{t("runs.took")}</th>
            <th>{t("runs.created")}</th>
            <th>{t("runs.how")}</th>
          </>
        }
      >
        {settled.rows.map((run) => (
          <tr key={run.uid || run.name} data-row>
            <td>
              <State state={runState(run)} words={run.stopping ? t("runs.stopping") : undefined} />
            </td>
            <td class="name">
              <a href={to(["runs", run.namespace, run.name])}>
                <Foreign text={run.name} bound={120} />
              </a>
              {run.why && (
                <span class="sub clamp" title={run.why}>
                  <Words text={run.why} bound={220} />
                </span>
              )}
            </td>
            {several && (
              <td class="muted">
                <Foreign text={run.namespace} />
              </td>
            )}
            <td>
              <ProgressBar progress={run.progress} />
            </td>
            <td class="right">
              <Took seconds={run.seconds} since={run.started} />
            </td>
            <td class="muted">
              <Ago at={run.created} />
            </td>
            <td class="muted nowrap">{word("how", run.how)}</td>
          </tr>
        ))}
      </Table>
    </div>
  );
}
