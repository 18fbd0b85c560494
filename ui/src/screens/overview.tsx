import { computed } from "@preact/signals";
import type { Need, OverviewAnswer } from "../api";
import { withQuery } from "../api/client";
import { useResource } from "../api/resource";
import { t, word } from "../i18n";
import { Ago, Code, Empty, Foreign, Loaded, Section, Shape, Took, Words } from "../parts/basic";
import { DagTable } from "../parts/dag_table";
import { RunsTable } from "../parts/runs_table";
import { namespace, to } from "../router/router";

const NEED_STATES: Record<string, string> = { approval: "Approval", failed: "Failed", invalid: "Invalid" };
const title = computed(() => namespace.value || t("nav.overview"));

export function Screen() {
  const overview = useResource<OverviewAnswer>(withQuery("overview", { namespace: namespace.value }), ["overview"]);
  return (
    <div class="stack">
      <h1 class="visually-hidden">{title.value}</h1>
      <Loaded of={overview} rows={10}>
        {(data) =>
          data.dags.length === 0 && data.running.length === 0 && data.needs.length === 0 ? (
            <Nothing />
          ) : (
            <Shown data={data} />
          )
        }
      </Loaded>
    </div>
  );
}

function Nothing() {
  return (
    <Section title={t("overview.start")}>
      <Empty title={t("overview.none")} icon="dags">
        <p>{t("overview.none.todo")}</p>
        <Code label="$" text={"tradewind new hello\ntradewind apply -f hello.yaml\ntradewind run hello"} />
      </Empty>
    </Section>
  );
}

/** Waiting for other tasks, and running, is no lost time. */
const WORK = new Set(["dependencies", "running"]);

function Shown({ data }: { data: OverviewAnswer }) {
  const waiting = data.waiting.filter((share) => !WORK.has(share.cause));
  const { counts } = data;
  const tiles: [string, number, string, string][] = [
    ["Running", counts.running, t("overview.running"), "Running"],
    ["Queued", counts.queued, t("overview.queued"), "Queued"],
    ["Failed", counts.failed24H, t("overview.failed"), "Failed"],
    ["Succeeded", counts.succeeded24H, t("overview.succeeded"), "Succeeded"],
  ];
  return (
    <>
      <nav class="tiles" aria-label={t("overview.counts")}>
        {tiles.map(([state, count, label, phase]) => (
          <a
            key={state}
            class={`tile tone-${state === "Failed" && count === 0 ? "idle" : ""}`}
            href={to(["runs"], { phase })}
          >
            <Shape state={state} size={16} />
            <strong class="num">{count.toLocaleString()}</strong>
            <span>{label}</span>
          </a>
        ))}
      </nav>
      <Section title={t("overview.needs")} count={data.needsTotal}>
        {data.needs.length === 0 ? (
          <p class="quiet-line">
            <Shape state="Succeeded" /> {t("overview.needs.none")}
          </p>
        ) : (
          <ul class="needs">
            {data.needs.map((need) => (
              <NeedRow key={`${need.kind}/${need.namespace}/${need.name}`} need={need} />
            ))}
          </ul>
        )}
      </Section>
      <div class="beside">
        <Section title={t("overview.now")} count={data.running.length}>
          {data.running.length === 0 ? (
            <p class="quiet-line muted">{t("overview.now.none")}</p>
          ) : (
            <RunsTable runs={data.running} label={t("overview.now")} />
          )}
        </Section>
        <Section title={t("overview.waiting")}>
          {waiting.length === 0 ? (
            <p class="quiet-line muted">{t("overview.waiting.none")}</p>
          ) : (
            <ul class="waits">
              {waiting.map((share) => (
                <li key={`${share.cause}/${share.namespace}`} data-row>
                  <span class={`swatch cause-${share.cause.replace(" ", "-")}`} aria-hidden="true" />
                  <a
                    class="waits-cause"
                    href={to(["runs", share.namespace, share.run], { task: share.task, tab: "why" })}
                  >
                    {word("cause", share.cause)}
                  </a>
                  <span class="num">{t("overview.tasks", { count: share.tasks })}</span>
                  <span class="muted">
                    {t("overview.longest")}{" "}
                    <Took seconds={share.since === null ? share.longest : null} since={share.since} />
                  </span>
                </li>
              ))}
            </ul>
          )}
        </Section>
      </div>
      <Section title={t("nav.dags")} count={data.dags.length}>
        <DagTable dags={data.dags} />
      </Section>
    </>
  );
}

function NeedRow({ need }: { need: Need }) {
  const href =
    need.kind === "approval" && !need.run
      ? to(["approvals"], { q: need.name })
      : need.kind === "invalid"
        ? to(["dags", need.namespace, need.dag || need.name])
        : to(["runs", need.namespace, need.run || need.name]);
  return (
    <li data-row>
      <Shape state={NEED_STATES[need.kind] ?? "Failed"} size={16} />
      <div class="needs-text">
        <a href={href}>
          <Words text={need.text || need.name} bound={300} />
        </a>
        <span class="sub muted">
          {t(`need.${need.kind === "approval" ? "approval" : need.kind === "invalid" ? "invalid" : "failed"}`)} ·{" "}
          <Foreign text={`${need.namespace} / ${need.run || need.dag || need.name}`} bound={160} />
        </span>
      </div>
      <span class="muted">
        <Ago at={need.since} />
      </span>
    </li>
  );
}
