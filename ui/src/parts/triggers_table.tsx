import type { TriggerRow } from "../api";
import { t } from "../i18n";
import { to } from "../router/router";
import { Ago, Foreign, Next, State, When } from "./basic";
import { Table } from "./table";

export function TriggersTable({ triggers }: { triggers: TriggerRow[] }) {
  return (
    <Table
      label={t("nav.triggers")}
      head={
        <>
          <th>{t("trigger.name")}</th>
          <th>{t("trigger.starts")}</th>
          <th>{t("trigger.source")}</th>
          <th>{t("dags.next")}</th>
          <th>{t("trigger.last")}</th>
          <th>{t("runs.state")}</th>
        </>
      }
    >
      {triggers.map((trigger) => (
        <tr key={`${trigger.namespace}/${trigger.name}`} data-row>
          <td class="name">
            <Foreign text={trigger.name} bound={120} />
            <span class="sub">
              <Foreign text={trigger.namespace} />
            </span>
          </td>
          <td>
            <a href={to(["dags", trigger.namespace, trigger.dag])}>
              <Foreign text={trigger.dag} bound={120} />
            </a>
          </td>
          <td>
            {trigger.source}
            <span class="sub muted">
              <Foreign text={trigger.description} bound={160} />
            </span>
          </td>
          <td>
            {trigger.next === null || trigger.suspended ? (
              <span class="muted">–</span>
            ) : (
              <>
                <Next at={trigger.next} />
                <span class="sub muted">
                  <When at={trigger.next} />
                </span>
              </>
            )}
          </td>
          <td>
            {trigger.lastRun ? (
              <a href={to(["runs", trigger.namespace, trigger.lastRun])}>
                <Ago at={trigger.lastAt} />
              </a>
            ) : (
              <Ago at={trigger.lastAt} />
            )}
          </td>
          <td>
            <State
              state={
                trigger.suspended ? "Suspended" : /fail|invalid|error/i.test(trigger.phase) ? "Invalid" : "Succeeded"
              }
              words={trigger.suspended ? undefined : trigger.phase || t("trigger.active")}
            />
            {trigger.message && (
              <span class="sub muted">
                <Foreign text={trigger.message} bound={200} />
              </span>
            )}
          </td>
        </tr>
      ))}
    </Table>
  );
}
