/** The latest runs of a DAG as bars: height is duration, colour and foot the outcome. */

import { useSignal } from "@preact/signals";
import type { Bar } from "../api";
import { t, word } from "../i18n";
import { go, to } from "../router/router";
import { moment, took } from "../text/time";
import { visible } from "../text/visible";
import { look } from "./shapes";

const STEP = 7;
const HIGH = 22;

export function Bars({
  namespace,
  name,
  runs,
  count = 25,
}: {
  namespace: string;
  name: string;
  runs: Bar[];
  count?: number;
}) {
  const at = useSignal<number | null>(null);
  const longest = Math.max(1, ...runs.map((run) => run.seconds ?? 0));
  const shift = Math.max(0, count - runs.length);
  const index = (event: MouseEvent) => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    const found = Math.floor(((event.clientX - box.left) / box.width) * count) - shift;
    return found >= 0 && found < runs.length ? found : null;
  };
  const failed = runs.filter((run) => run.phase === "Failed").length;
  const words = t("bars.words", { name: visible(name), count: runs.length, failed });
  const over = at.value === null ? null : runs[at.value];
  return (
    <svg
      class="bars"
      role="img"
      aria-label={words}
      width={count * STEP}
      height={HIGH + 6}
      viewBox={`0 0 ${count * STEP} ${HIGH + 6}`}
      onPointerMove={(event) => {
        at.value = index(event);
      }}
      onPointerLeave={() => {
        at.value = null;
      }}
      onClick={(event) => {
        const found = index(event);
        if (found !== null) go(to(["runs", namespace, runs[found]!.name]));
      }}
    >
      <title>
        {over
          ? `${visible(over.name).slice(0, 120)} · ${word("state", over.phase)} · ${took(over.seconds)} · ${moment(over.created)}`
          : words}
      </title>
      {runs.map((run, place) => {
        const x = (place + shift) * STEP + 1;
        const live = run.seconds === null;
        const high = live ? HIGH * 0.6 : Math.max(3, Math.sqrt((run.seconds ?? 0) / longest) * HIGH);
        const tone = look(run.phase).tone;
        return (
          <g key={run.name} class={`tone-${tone}${at.value === place ? " over" : ""}`}>
            <rect class={live ? "bar live-bar" : "bar"} x={x} y={HIGH - high} width={STEP - 2} height={high} rx="1" />
            {run.phase === "Failed" && <path class="foot" d={`M${x} ${HIGH + 5.5}h5l-2.5-4Z`} />}
          </g>
        );
      })}
    </svg>
  );
}
