/** The same as the Gantt shows, as a table: for screen readers, and to copy from. */

import { useSignal } from "@preact/signals";
import type { TasksAnswer } from "../../api";
import { t, word } from "../../i18n";
import { Foreign, State, When } from "../../parts/basic";
import { go, queried } from "../../router/router";
import { now, took } from "../../text/time";
import type { Row } from "./rows";
import { segments, worked } from "./segments";

const STEP = 200;

export function TaskTable({ columns, rows, live }: { columns: TasksAnswer; rows: Row[]; live: boolean }) {
  const most = useSignal(STEP);
  const current = live ? now.value : Date.now();
  const tasks = rows.filter((row) => row.kind !== "group");
  const critical = new Set(columns.critical);
  return (
    <div class="table-wrap">
      <table aria-label={t("run.tasks")}>
        <thead>
          <tr>
            <th>{t("run.task")}</th>
            <th>{t("runs.state")}</th>
            <th>{t("run.started")}</th>
            <th class="right">{t("run.worked")}</th>
            <th>{t("run.waited")}</th>
            <th class="right">{t("run.attempts")}</th>
            <th>{t("gantt.critical")}</th>
          </tr>
        </thead>
        <tbody>
          {tasks.slice(0, most.value).map((row) => {
            const waits = segments(columns, row.row, current).filter(
              (one) => one.cause && one.cause !== "dependencies",
            );
            return (
              <tr key={row.id} data-row>
                <td class="name" style={{ paddingLeft: `${16 + row.depth * 16}px` }}>
                  <button type="button" class="link" onClick={() => go(queried({ task: row.id }), true)}>
                    <Foreign text={row.name} bound={120} />
                  </button>
                </td>
                <td>
                  <State state={row.state} />
                </td>
                <td class="muted">
                  <When at={columns.start[row.row] ?? null} kind="clock" />
                </td>
                <td class="right num">{took(worked(columns, row.row, current))}</td>
                <td class="muted">
                  {waits.map((one) => `${word("cause", one.cause)} ${took(one.to - one.from)}`).join(", ") || "–"}
                </td>
                <td class="right num">{columns.attempts[row.row]}</td>
                <td>{critical.has(row.row) ? t("common.yes") : ""}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {tasks.length > most.value && (
        <button type="button" class="button quiet more" onClick={() => (most.value += STEP)}>
          {t("common.more")}
        </button>
      )}
    </div>
  );
}
