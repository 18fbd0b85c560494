import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { RunRow, RunsAnswer } from "../api";
import { Failed, read, withQuery } from "../api/client";
import { useResource } from "../api/resource";
import { t, word } from "../i18n";
import { Empty, Loaded, Section, Trouble } from "../parts/basic";
import { FilterChoice, FilterText } from "../parts/filters";
import { RunsTable } from "../parts/runs_table";
import { go, namespace, place } from "../router/router";

const PHASES = ["Active", "Running", "Queued", "Succeeded", "Failed", "Cancelled"];
const HOWS = ["manual", "schedule", "backfill", "event", "asset", "object", "sensor", "dag", "parent"];
const DAY = 86_400_000;
const PAGE = 50;

/** The moment a choice of "since" means; whole minutes, so that the address stays the same for a while. */
export function since(choice: string, now: number): number | null {
  const days = { day: 1, week: 7, month: 30 }[choice];
  return days === undefined ? null : Math.floor((now - days * DAY) / 60_000) * 60_000;
}

export function Screen() {
  const query = place.value.query;
  const chosen = query.get("since") ?? "";
  const from = useSignal(since(chosen, Date.now()));
  useEffect(() => {
    from.value = since(chosen, Date.now());
  }, [chosen]);
  const path = withQuery("runs", {
    namespace: namespace.value,
    dag: query.get("dag"),
    phase: query.get("phase"),
    how: query.get("how"),
    text: query.get("q"),
    since: from.value,
    limit: PAGE,
  });
  const runs = useResource<RunsAnswer>(path, [`runs:${namespace.value}`]);
  const filtered = ["dag", "phase", "how", "q", "since"].some((name) => query.get(name));
  return (
    <div class="stack">
      <div class="page-head">
        <h1>{t("nav.runs")}</h1>
        <span class="spread" />
        <div class="filters">
          <FilterText label={t("runs.text")} key={query.get("q") === null ? "none" : "some"} />
          <FilterChoice
            name="phase"
            label={t("runs.state")}
            options={[
              ["", t("runs.anyState")],
              ...PHASES.map((phase): [string, string] => [phase, word("state", phase)]),
            ]}
          />
          <FilterChoice
            name="how"
            label={t("runs.how")}
            options={[["", t("runs.anyHow")], ...HOWS.map((how): [string, string] => [how, word("how", how)])]}
          />
          <FilterChoice
            name="since"
            label={t("runs.since")}
            options={[
              ["", t("runs.anyTime")],
              ["day", t("runs.day")],
              ["week", t("runs.week")],
              ["month", t("runs.month")],
            ]}
          />
          {filtered && (
            <button type="button" class="button quiet" onClick={() => go(cleared(), true)}>
              {t("common.clear")}
            </button>
          )}
        </div>
      </div>
      <Loaded of={runs}>
        {(data) =>
          data.runs.length === 0 ? (
            <Empty title={filtered ? t("runs.noneLike") : t("runs.none")} icon="runs">
              {filtered ? (
                <button type="button" class="button" onClick={() => go(cleared(), true)}>
                  {t("common.clear")}
                </button>
              ) : (
                <p>{t("runs.none.todo")}</p>
              )}
            </Empty>
          ) : (
            <Section title={t("nav.runs")} count={data.more ? `≥ ${data.runs.length}` : data.runs.length}>
              <Pages key={path} path={path} first={data} />
            </Section>
          )
        }
      </Loaded>
    </div>
  );
}

function cleared(): string {
  return namespace.value ? `${place.value.path}?ns=${encodeURIComponent(namespace.value)}` : place.value.path;
}

/** The first page, which lives, and older ones as they were read. */
function Pages({ path, first }: { path: string; first: RunsAnswer }) {
  const older = useSignal<RunRow[]>([]);
  const next = useSignal<string | null>(null);
  const error = useSignal<Failed | null>(null);
  const busy = useSignal(false);
  const cursor = older.value.length === 0 ? first.next : next.value;
  const seen = new Set(first.runs.map((run) => run.uid));
  const more = async () => {
    if (!cursor || busy.value) return;
    busy.value = true;
    try {
      const answer = await read<RunsAnswer>(
        `${path}&after=${encodeURIComponent(cursor)}`,
        null,
        new AbortController().signal,
      );
      older.value = [...older.value, ...(answer.data?.runs ?? [])];
      next.value = answer.data?.next ?? null;
      error.value = null;
    } catch (problem) {
      error.value = problem instanceof Failed ? problem : null;
    }
    busy.value = false;
  };
  return (
    <>
      <RunsTable
        runs={[...first.runs, ...older.value.filter((run) => !seen.has(run.uid))]}
        label={t("nav.runs")}
        name={`${path} ${older.value.length}`}
      />
      {error.value && <Trouble error={error.value} again={more} />}
      {cursor && (
        <button type="button" class="button quiet more" onClick={more} disabled={busy.value}>
          {t("common.more")}
        </button>
      )}
    </>
  );
}
