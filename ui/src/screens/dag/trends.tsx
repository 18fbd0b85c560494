/** Durations and waiting of the latest runs, as bars. */

import { useSignal } from "@preact/signals";
import type { TrendAnswer } from "../../api";
import { path } from "../../api/client";
import { useResource } from "../../api/resource";
import { t, word } from "../../i18n";
import { Empty, Loaded } from "../../parts/basic";
import { look } from "../../parts/shapes";
import { go, to } from "../../router/router";
import { moment, took } from "../../text/time";
import { visible } from "../../text/visible";

const HIGH = 160;
const WIDE = 760;

/** The value below which `share` of the values are; null of none. */
export function percentile(values: number[], share: number): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

export function Trends({ namespace, name }: { namespace: string; name: string }) {
  const trend = useResource<TrendAnswer>(`${path("dags", namespace, name)}/trend?runs=100`, [
    `dag:${namespace}/${name}`,
  ]);
  return (
    <Loaded of={trend}>
      {(data) =>
        data.names.length === 0 ? (
          <Empty title={t("trend.none")} icon="runs">
            <p>{t("trend.none.todo")}</p>
          </Empty>
        ) : (
          <div class="stack trends">
            <Chart title={t("trend.duration")} trend={data} values={data.seconds} namespace={namespace} />
            <Chart title={t("trend.waited")} trend={data} values={data.waited} namespace={namespace} waiting />
          </div>
        )
      }
    </Loaded>
  );
}

function Chart({
  title,
  trend,
  values,
  namespace,
  waiting,
}: {
  title: string;
  trend: TrendAnswer;
  values: (number | null)[];
  namespace: string;
  waiting?: boolean;
}) {
  const over = useSignal<number | null>(null);
  const known = values.filter((value): value is number => value !== null);
  const most = Math.max(1, ...known);
  const step = Math.min(36, WIDE / values.length);
  const p50 = percentile(known, 0.5);
  const p95 = percentile(known, 0.95);
  const y = (value: number) => HIGH - (value / most) * (HIGH - 10);
  const at = over.value;
  const words = `${title}: ${t("trend.words", { p50: took(p50), p95: took(p95), count: values.length })}`;
  const index = (event: MouseEvent) => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const found = Math.floor((((event.clientX - box.left) / box.width) * WIDE) / step);
    return found >= 0 && found < values.length ? found : null;
  };
  return (
    <figure class="chart">
      <figcaption>
        <h3>{title}</h3>
        <span class="muted num">{t("trend.words", { p50: took(p50), p95: took(p95), count: values.length })}</span>
        <span class="num chart-over">
          {at === null
            ? ""
            : `${visible(trend.names[at]!).slice(0, 80)} · ${word("state", trend.phases[at]!)} · ${took(values[at]!)} · ${moment(trend.created[at]!)}`}
        </span>
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDE} ${HIGH + 8}`}
        role="img"
        aria-label={words}
        preserveAspectRatio="none"
        onPointerMove={(event) => (over.value = index(event))}
        onPointerLeave={() => (over.value = null)}
        onClick={(event) => {
          const found = index(event);
          if (found !== null) go(to(["runs", namespace, trend.names[found]!]));
        }}
      >
        {values.map((value, place) =>
          value === null ? null : (
            <g
              key={trend.names[place]}
              class={`${waiting ? "cause-pool waiting" : `tone-${look(trend.phases[place]!).tone}`}${at === place ? " over" : ""}`}
            >
              <rect
                class="bar"
                x={place * step + step * 0.12}
                y={y(value)}
                width={step * 0.76}
                height={HIGH - y(value)}
              />
              {!waiting && trend.phases[place] === "Failed" && (
                <rect class="foot" x={place * step + step * 0.12} y={HIGH + 2} width={step * 0.76} height="4" />
              )}
            </g>
          ),
        )}
        {p50 !== null && <line class="mark" x1="0" x2={values.length * step} y1={y(p50)} y2={y(p50)} />}
      </svg>
    </figure>
  );
}
