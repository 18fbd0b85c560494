/** What else there is to a run: params, results, conditions, Events, changes by hand, YAML. */

import type { ConditionRow, EventRow, Json, RunDetail } from "../../api";
import { t } from "../../i18n";
import { Ago, Code, Foreign, Section } from "../../parts/basic";
import { Table } from "../../parts/table";
import { chosenTab, type Tab, Tabs } from "../../parts/tabs";
import { to } from "../../router/router";

export function RunFacts({ run }: { run: RunDetail }) {
  const tabs: Tab[] = [
    { id: "values", label: t("run.values") },
    { id: "conditions", label: t("run.conditions"), badge: run.conditions.length },
    { id: "events", label: t("run.events"), badge: run.events.length },
    { id: "changes", label: t("run.changes"), badge: run.edits.length },
    { id: "yaml", label: "YAML" },
  ];
  const tab = chosenTab(tabs, "about");
  return (
    <Section title={t("run.about")}>
      <Tabs tabs={tabs} name="about" label={t("run.about")} small />
      <div class="section-body" role="tabpanel" aria-labelledby={`about-${tab}`}>
        {tab === "values" && <ValuesOf run={run} />}
        {tab === "conditions" && <Conditions rows={run.conditions} />}
        {tab === "events" && <Events rows={run.events} />}
        {tab === "changes" && <Changes run={run} />}
        {tab === "yaml" && <Code text={run.yaml} label={`DAGRun ${run.namespace}/${run.name}`.slice(0, 200)} />}
      </div>
    </Section>
  );
}

function ValuesOf({ run }: { run: RunDetail }) {
  const about: [string, string][] = [
    [t("run.reason"), run.reason],
    [t("run.cause"), run.cause],
    [t("run.note"), run.note],
    [t("run.managedBy"), run.managedBy],
    [t("run.calledBy"), run.calledBy ? `${run.calledBy.run} / ${run.calledBy.task}` : ""],
  ];
  const told = about.filter(([, text]) => text);
  return (
    <div class="columns">
      <div>
        <h3>{t("run.params")}</h3>
        <Values values={run.params} none={t("run.params.none")} />
      </div>
      <div>
        <h3>{t("run.results")}</h3>
        <Values values={run.results} none={t(run.finished === null ? "run.results.none" : "run.results.never")} />
      </div>
      <div>
        <h3>{t("run.labels")}</h3>
        <Values values={run.labels} none={t("run.labels.none")} />
        {told.length > 0 && (
          <dl class="facts told">
            {told.map(([name, text]) => [
              <dt key={name}>{name}</dt>,
              <dd key={`${name}:`}>
                {run.calledBy && name === t("run.calledBy") ? (
                  <a href={to(["runs", run.namespace, run.calledBy.run], { task: run.calledBy.task })}>
                    <Foreign text={text} bound={200} />
                  </a>
                ) : (
                  <Foreign text={text} bound={1000} />
                )}
              </dd>,
            ])}
          </dl>
        )}
      </div>
    </div>
  );
}

/** A value as text: strings as they are, everything else as JSON. */
export function shown(value: Json): string {
  return typeof value === "string"
    ? value
    : JSON.stringify(value, null, value !== null && typeof value === "object" ? 1 : undefined);
}

export function Values({ values, none }: { values: Record<string, Json>; none: string }) {
  const names = Object.keys(values);
  if (names.length === 0) return <p class="muted">{none}</p>;
  return (
    <dl class="facts values">
      {names.map((name) => [
        <dt key={name}>
          <Foreign text={name} bound={120} />
        </dt>,
        <dd key={`${name}:`} class="mono">
          <Foreign text={shown(values[name]!)} bound={2000} />
        </dd>,
      ])}
    </dl>
  );
}

export function Conditions({ rows }: { rows: ConditionRow[] }) {
  if (rows.length === 0) return <p class="muted">{t("common.none")}</p>;
  return (
    <Table
      label={t("run.conditions")}
      kind="small"
      head={
        <>
          <th>{t("run.type")}</th>
          <th>{t("run.status")}</th>
          <th>{t("run.message")}</th>
          <th>{t("run.since")}</th>
        </>
      }
    >
      {rows.map((row) => (
        <tr key={row.type}>
          <td class="nowrap">
            <Foreign text={row.type} bound={120} />
          </td>
          <td>
            <Foreign text={row.status} bound={20} />
          </td>
          <td>
            {row.reason && <b>{row.reason.slice(0, 120)} </b>}
            <Foreign text={row.message} bound={1000} />
          </td>
          <td class="muted">
            <Ago at={row.since} />
          </td>
        </tr>
      ))}
    </Table>
  );
}

export function Events({ rows }: { rows: EventRow[] }) {
  if (rows.length === 0) return <p class="muted">{t("run.events.none")}</p>;
  return (
    <Table
      label={t("run.events")}
      kind="small"
      head={
        <>
          <th>{t("run.event")}</th>
          <th>{t("run.message")}</th>
          <th>{t("run.object")}</th>
          <th class="right">{t("run.count")}</th>
          <th>{t("run.last")}</th>
        </>
      }
    >
      {rows.map((row, at) => (
        <tr key={at}>
          <td class="nowrap">
            <span class={row.type === "Warning" ? "tone-wait toned" : ""}>
              {row.type === "Warning" ? "▲ " : ""}
              <Foreign text={row.reason} bound={120} />
            </span>
          </td>
          <td>
            <Foreign text={row.message} bound={1000} />
          </td>
          <td class="muted">
            <Foreign text={row.object} bound={120} />
          </td>
          <td class="right num">{row.count}</td>
          <td class="muted">
            <Ago at={row.at} />
          </td>
        </tr>
      ))}
    </Table>
  );
}

function Changes({ run }: { run: RunDetail }) {
  if (run.edits.length === 0) return <p class="muted">{t("run.changes.none")}</p>;
  return (
    <ul class="changes">
      {run.edits.map((edit, at) => (
        <li key={at}>
          <b>{edit.action}</b> <Foreign text={edit.tasks.join(", ")} bound={400} />
          <span class="muted">
            {" "}
            · <Foreign text={[edit.by, edit.reason].filter(Boolean).join(": ")} bound={400} />
            {edit.applied ? "" : ` · ${t("run.changes.pending")}`}
          </span>
        </li>
      ))}
    </ul>
  );
}
