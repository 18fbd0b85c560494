/** The task tree and, beside it, the Gantt or nothing: one list of rows, of which only those in sight exist. */

import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { TasksAnswer } from "../../api";
import { colour, hatch, SANS, tone } from "../../canvas/paint";
import { useSurface } from "../../canvas/surface";
import { t, word } from "../../i18n";
import { Foreign, Icon, Shape } from "../../parts/basic";
import { CAUSES } from "../../parts/shapes";
import { moment, now, took } from "../../text/time";
import { visible } from "../../text/visible";
import type { Row } from "./rows";
import { axisStep, extent, type Segment, segments, worked } from "./segments";

export const ROW = 28;
const AHEAD = 8;
const PAD = 10;

export interface Window {
  from: number;
  to: number;
}

export function Timeline({
  columns,
  rows,
  chosen,
  choose,
  toggle,
  gantt,
  live,
  window,
}: {
  columns: TasksAnswer;
  rows: Row[];
  chosen: string | null;
  choose: (key: string) => void;
  toggle: (row: Row) => void;
  gantt: boolean;
  live: boolean;
  window: Signal<Window | null>;
}) {
  const scroller = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const high = useSignal(460);
  const active = useSignal(0);
  const focused = useSignal(false);
  const over = useSignal<{ x: number; y: number; row: number; segment: Segment | null } | null>(null);
  const drag = useRef<{ x: number; window: Window } | null>(null);
  const moment_ = live
    ? now.value
    : columns.end.reduce<number>((most, end) => Math.max(most, end ?? 0), 0) || Date.now();
  const whole = useMemo(() => extent(columns, moment_), [columns, moment_]);
  const span = window.value ?? { from: 0, to: whole * 1.02 };
  const critical = useMemo(() => new Set(columns.critical), [columns]);
  const first = Math.max(0, Math.floor(top.value / ROW) - AHEAD);
  const last = Math.min(rows.length, Math.ceil((top.value + high.value) / ROW) + AHEAD);

  const x = (seconds: number, width: number) =>
    PAD + ((seconds - span.from) / (span.to - span.from)) * (width - 2 * PAD);
  const surface = useSurface((context, width, height) => {
    const step = axisStep((span.to - span.from) / Math.max(1, width - 2 * PAD));
    context.strokeStyle = colour("line");
    context.lineWidth = 1;
    context.beginPath();
    for (let mark = Math.ceil(span.from / step) * step; mark <= span.to; mark += step) {
      const at = Math.round(x(mark, width)) + 0.5;
      context.moveTo(at, ROW);
      context.lineTo(at, height);
    }
    context.stroke();
    const scrolled = scroller.current?.scrollTop ?? 0;
    context.save();
    context.beginPath();
    context.rect(0, ROW, width, height - ROW);
    context.clip();
    for (let at = Math.floor(scrolled / ROW); at < Math.min(rows.length, (scrolled + height) / ROW); at++) {
      const row = rows[at]!;
      if (row.kind !== "group")
        bar(context, columns, row, at * ROW - scrolled + ROW, width, x, moment_, critical.has(row.row));
    }
    context.restore();
    context.fillStyle = colour("muted");
    context.font = `11px ${SANS}`;
    context.textBaseline = "middle";
    for (let mark = Math.ceil(span.from / step) * step; mark <= span.to; mark += step) {
      const at = x(mark, width);
      if (at > width - 44) break;
      context.fillText(mark === 0 ? "0" : took(mark), at + 4, ROW / 2);
    }
  });

  useEffect(() => {
    const element = scroller.current!;
    const observer = new ResizeObserver(() => (high.value = element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const place = rows.findIndex((row) => row.id === chosen);
  useEffect(() => {
    if (place !== -1) {
      active.value = place;
      seen(place);
    }
  }, [chosen, place !== -1]);
  useEffect(() => {
    const canvas = surface.ref.current;
    if (!canvas || !gantt) return;
    const wheel = (event: WheelEvent) => {
      if (!event.ctrlKey && !event.metaKey && Math.abs(event.deltaX) <= Math.abs(event.deltaY)) return;
      event.preventDefault();
      const width = canvas.clientWidth - 2 * PAD;
      const long = span.to - span.from;
      if (event.ctrlKey || event.metaKey) {
        const centre = span.from + (Math.max(0, event.offsetX - PAD) / width) * long;
        zoom(Math.exp(event.deltaY / 240), centre);
      } else shift((event.deltaX / width) * long, span);
    };
    canvas.addEventListener("wheel", wheel, { passive: false });
    return () => canvas.removeEventListener("wheel", wheel);
  });

  const shift = (by: number, base: Window) => {
    const long = base.to - base.from;
    const from = Math.min(Math.max(-long * 0.2, base.from + by), whole - long * 0.2);
    window.value = { from, to: from + long };
  };
  const zoom = (factor: number, centre = (span.from + span.to) / 2) => {
    const long = Math.min(whole * 1.2, Math.max(2, (span.to - span.from) * factor));
    const from = centre - ((centre - span.from) / (span.to - span.from)) * long;
    window.value = long >= whole * 1.02 ? null : { from, to: from + long };
  };
  const seen = (at: number) => {
    const element = scroller.current;
    if (!element) return;
    const room = element.clientHeight - ROW;
    if (at * ROW < element.scrollTop) element.scrollTop = at * ROW;
    else if ((at + 1) * ROW > element.scrollTop + room) element.scrollTop = (at + 1) * ROW - room;
  };
  const pressed = (event: KeyboardEvent) => {
    const row = rows[active.value];
    const page = Math.max(1, Math.floor(high.value / ROW) - 2);
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1, PageDown: page, PageUp: -page };
    let next = active.value;
    if (event.key in steps) next += steps[event.key]!;
    else if (event.key === "Home") next = 0;
    else if (event.key === "End") next = rows.length - 1;
    else if (event.key === "ArrowRight" && row?.open === false) toggle(row);
    else if (event.key === "ArrowLeft" && row) {
      if (row.open) toggle(row);
      else while (next > 0 && rows[next]!.depth >= row.depth) next -= 1;
    } else if ((event.key === "Enter" || event.key === " ") && row) {
      if (row.kind === "group") toggle(row);
      else choose(row.id);
    } else return;
    event.preventDefault();
    event.stopPropagation();
    active.value = Math.min(rows.length - 1, Math.max(0, next));
    seen(active.value);
  };
  const hovered = (event: PointerEvent) => {
    const canvas = surface.ref.current!;
    if (drag.current) {
      const long = drag.current.window.to - drag.current.window.from;
      shift(((drag.current.x - event.clientX) / (canvas.clientWidth - 2 * PAD)) * long, drag.current.window);
      return;
    }
    const at = Math.floor((event.offsetY - ROW + (scroller.current?.scrollTop ?? 0)) / ROW);
    const row = rows[at];
    if (!row || event.offsetY < ROW || row.kind === "group") {
      over.value = null;
      return;
    }
    const seconds = span.from + ((event.offsetX - PAD) / (canvas.clientWidth - 2 * PAD)) * (span.to - span.from);
    const slack = ((span.to - span.from) / canvas.clientWidth) * 3;
    const all = segments(columns, row.row, moment_);
    const segment = all.find((one) => seconds >= one.from - slack && seconds <= one.to + slack) ?? null;
    over.value = { x: event.offsetX, y: event.offsetY, row: at, segment };
  };
  const hit = over.value && rows[over.value.row];
  return (
    <div class={gantt ? "timeline" : "timeline plain"}>
      <div
        ref={scroller}
        class="timeline-scroll"
        role="tree"
        tabIndex={0}
        aria-label={t("run.tasks")}
        aria-activedescendant={rows[active.value] ? `row-${active.value}` : undefined}
        onKeyDown={pressed}
        onFocus={() => (focused.value = true)}
        onBlur={() => (focused.value = false)}
        onScroll={(event) => {
          top.value = event.currentTarget.scrollTop;
          surface.redraw();
        }}
        data-row
      >
        {gantt && (
          <div class="timeline-canvas">
            <canvas
              ref={surface.ref}
              aria-hidden="true"
              style={{ height: `${high.value}px` }}
              onPointerMove={hovered}
              onPointerLeave={() => (over.value = null)}
              onPointerDown={(event) => {
                if (event.button !== 0) return;
                drag.current = { x: event.clientX, window: span };
                event.currentTarget.setPointerCapture(event.pointerId);
              }}
              onPointerUp={(event) => {
                const from = drag.current;
                drag.current = null;
                if (from && Math.abs(event.clientX - from.x) < 4) {
                  const row = rows[Math.floor((event.offsetY - ROW + (scroller.current?.scrollTop ?? 0)) / ROW)];
                  if (row && event.offsetY > ROW) row.kind === "group" ? toggle(row) : choose(row.id);
                }
              }}
              onDblClick={() => (window.value = null)}
            />
          </div>
        )}
        <div class="timeline-rows" style={{ height: `${rows.length * ROW + ROW}px` }} role="presentation">
          {rows.slice(first, last).map((row, place) => (
            <TreeRow
              key={row.id}
              at={first + place}
              row={row}
              columns={columns}
              chosen={row.id === chosen}
              active={focused.value && first + place === active.value}
              choose={() => {
                active.value = first + place;
                if (row.kind === "group") toggle(row);
                else choose(row.id);
              }}
              toggle={() => toggle(row)}
              now={moment_}
            />
          ))}
        </div>
      </div>
      {gantt && (
        <div class="zoom">
          <button type="button" aria-label={t("view.in")} onClick={() => zoom(0.6)}>
            <Icon name="plus" size={13} />
          </button>
          <button type="button" aria-label={t("view.out")} onClick={() => zoom(1.6)}>
            <Icon name="minus" size={13} />
          </button>
          <button type="button" aria-label={t("view.fit")} onClick={() => (window.value = null)}>
            <Icon name="fit" size={13} />
          </button>
        </div>
      )}
      {over.value && hit && (
        <div
          class="tip"
          style={{ left: `calc(var(--tree) + ${over.value.x + 14}px)`, top: `${over.value.y + 14}px` }}
          aria-hidden="true"
        >
          <strong>{visible(hit.name).slice(0, 120)}</strong>
          <span>{word("state", hit.state)}</span>
          {over.value.segment && (
            <span>
              {over.value.segment.cause
                ? t("gantt.waited", { cause: word("cause", over.value.segment.cause) })
                : t("gantt.attempt", { number: over.value.segment.attempt })}{" "}
              · {took(over.value.segment.to - over.value.segment.from)} ·{" "}
              {moment(columns.epoch + over.value.segment.from * 1000, "clock")}
            </span>
          )}
        </div>
      )}
    </div>
  );
}

function TreeRow({
  at,
  row,
  columns,
  chosen,
  active,
  choose,
  toggle,
  now: current,
}: {
  at: number;
  row: Row;
  columns: TasksAnswer;
  chosen: boolean;
  active: boolean;
  choose: () => void;
  toggle: () => void;
  now: number;
}) {
  const attempts = columns.attempts[row.row] ?? 0;
  const seconds = row.kind === "group" ? null : worked(columns, row.row, current);
  const why = row.kind === "group" ? -1 : (columns.why[row.row] ?? -1);
  const words = why >= 0 ? columns.whys[why]! : "";
  return (
    <div
      id={`row-${at}`}
      role="treeitem"
      aria-level={row.depth + 1}
      aria-expanded={row.open ?? undefined}
      aria-selected={chosen}
      class={`tree-row kind-${row.kind}${chosen ? " chosen" : ""}${active ? " active" : ""}`}
      style={{ top: `${at * ROW + ROW}px`, paddingLeft: `${8 + row.depth * 16}px` }}
      onClick={choose}
      title={words ? visible(words) : undefined}
    >
      {row.open === null ? (
        <span class="tree-space" />
      ) : (
        <span
          class="tree-toggle"
          aria-hidden="true"
          onClick={(event) => {
            event.stopPropagation();
            toggle();
          }}
        >
          <Icon name={row.open ? "down" : "right"} size={11} />
        </span>
      )}
      <Shape state={row.state} alone />
      <span class="tree-name">
        <Foreign text={row.name} bound={80} />
      </span>
      {row.inside && (
        <span class="num tree-inside">
          {row.inside.done}/{row.inside.total}
          {row.inside.failed > 0 && <b class="tone-fail"> {t("run.failed", { count: row.inside.failed })}</b>}
        </span>
      )}
      {row.kind !== "group" && attempts > 1 && <span class="num tree-inside">×{attempts}</span>}
      <span class="tree-why muted">{words ? <Foreign text={words} bound={160} /> : null}</span>
      <span class="num tree-took">{seconds === null ? "" : took(seconds)}</span>
    </div>
  );
}

function bar(
  context: CanvasRenderingContext2D,
  columns: TasksAnswer,
  row: Row,
  y: number,
  width: number,
  x: (seconds: number, width: number) => number,
  current: number,
  critical: boolean,
): void {
  const middle = y + ROW / 2;
  for (const one of segments(columns, row.row, current)) {
    const left = x(one.from, width);
    const right = Math.max(left + 2, x(one.to, width));
    if (right < 0 || left > width) continue;
    if (one.cause === "dependencies") {
      context.strokeStyle = colour("line-strong");
      context.lineWidth = 1.5;
      context.setLineDash([1.5, 4]);
      context.beginPath();
      context.moveTo(left, middle);
      context.lineTo(right, middle);
      context.stroke();
      context.setLineDash([]);
    } else if (one.cause) {
      context.fillStyle = hatch(context, (CAUSES as readonly string[]).includes(one.cause) ? one.cause : "operator");
      context.fillRect(left, middle - 5, right - left, 10);
    } else {
      context.fillStyle = one.again ? tone("Failed") : tone(row.state === "Blocked" ? "Running" : row.state);
      context.beginPath();
      context.roundRect(left, middle - 7, right - left, 14, 3);
      context.globalAlpha = one.again ? 0.75 : 1;
      context.fill();
      context.globalAlpha = 1;
      if ((one.again || row.state === "Failed" || row.state === "Lost") && right - left > 10) {
        context.strokeStyle = colour("surface");
        context.lineWidth = 1.6;
        context.beginPath();
        context.moveTo(right - 8, middle - 3);
        context.lineTo(right - 2.5, middle + 3);
        context.moveTo(right - 2.5, middle - 3);
        context.lineTo(right - 8, middle + 3);
        context.stroke();
      }
      if (critical) {
        context.strokeStyle = colour("text");
        context.lineWidth = 1.6;
        context.beginPath();
        context.roundRect(left - 1.5, middle - 8.5, right - left + 3, 17, 4);
        context.stroke();
      }
    }
  }
}

export function Legend({ columns }: { columns: TasksAnswer }) {
  const used = new Set<number>();
  for (const waits of columns.waits) for (let at = 0; at < waits.length; at += 2) used.add(waits[at]!);
  return (
    <p class="legend">
      {[...used]
        .map((at) => columns.causes[at]!)
        .filter((cause) => cause !== "dependencies")
        .map((cause) => (
          <span key={cause}>
            <i class={`swatch hatched cause-${cause.replace(" ", "-")}`} aria-hidden="true" /> {word("cause", cause)}
          </span>
        ))}
      {used.has(columns.causes.indexOf("dependencies")) && (
        <span>
          <i class="swatch dotted" aria-hidden="true" /> {word("cause", "dependencies")}
        </span>
      )}
      <span>
        <i class="swatch outlined" aria-hidden="true" /> {t("gantt.critical")}
      </span>
    </p>
  );
}
