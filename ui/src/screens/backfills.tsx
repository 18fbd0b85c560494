import type { BackfillsAnswer } from "../api";
import { withQuery } from "../api/client";
import { useResource } from "../api/resource";
import { t } from "../i18n";
import { Ago, Code, Empty, Foreign, Loaded, Section, State } from "../parts/basic";
import { FilterText } from "../parts/filters";
import { fits } from "../parts/list";
import { ProgressBar } from "../parts/runs_table";
import { Table } from "../parts/table";
import { namespace, to } from "../router/router";

export function Screen() {
  const backfills = useResource<BackfillsAnswer>(withQuery("backfills", { namespace: namespace.value }), ["backfills"]);
  return (
    <div class="stack">
      <div class="page-head">
        <h1>{t("nav.backfills")}</h1>
        <span class="spread" />
        <FilterText />
      </div>
      <Loaded of={backfills}>
        {(data) =>
          data.backfills.length === 0 ? (
            <Empty title={t("backfills.none")} icon="backfills">
              <p>{t("backfills.none.todo")}</p>
              <Code label="$" text="tradewind backfill DAG --start 2026-01-01 --end 2026-01-31 --dry-run" />
            </Empty>
          ) : (
            <Section title={t("nav.backfills")} count={data.backfills.length}>
              <Table
                label={t("nav.backfills")}
                head={
                  <>
                    <th>{t("runs.state")}</th>
                    <th>{t("backfills.name")}</th>
                    <th>{t("trigger.starts")}</th>
                    <th>{t("backfills.range")}</th>
                    <th>{t("runs.progress")}</th>
                    <th>{t("runs.created")}</th>
                  </>
                }
              >
                {data.backfills
                  .filter((one) => fits(one.name, one.dag))
                  .map((one) => (
                    <tr key={`${one.namespace}/${one.name}`} data-row>
                      <td>
                        <State state={one.suspended ? "Suspended" : one.phase} />
                      </td>
                      <td class="name">
                        <a href={to(["runs"], { dag: one.dag, how: "backfill", q: one.name })}>
                          <Foreign text={one.name} bound={120} />
                        </a>
                        <span class="sub">
                          <Foreign text={one.message || one.namespace} bound={240} />
                        </span>
                      </td>
                      <td>
                        <a href={to(["dags", one.namespace, one.dag])}>
                          <Foreign text={one.dag} bound={120} />
                        </a>
                      </td>
                      <td class="num muted">
                        <Foreign text={`${one.start} – ${one.end}`} bound={80} />
                      </td>
                      <td>
                        <ProgressBar
                          progress={{ done: one.done, total: one.total, failed: one.failed, running: one.active }}
                        />
                        {one.failed > 0 && (
                          <span class="sub tone-fail toned">{t("run.failed", { count: one.failed })}</span>
                        )}
                      </td>
                      <td class="muted">
                        <Ago at={one.created} />
                      </td>
                    </tr>
                  ))}
              </Table>
            </Section>
          )
        }
      </Loaded>
    </div>
  );
}
