/** Runs by tasks on a canvas; only what is in sight is drawn. */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { GridAnswer } from "../../api";
import { colour, fitted, SANS, shape, tone } from "../../canvas/paint";
import { useSurface } from "../../canvas/surface";
import { t, word } from "../../i18n";
import { go, to } from "../../router/router";
import { moment, took } from "../../text/time";
import { visible } from "../../text/visible";

const CELL = 20;
const HEAD = 74;
const LABEL = 230;

export function GridView({ grid, namespace, text }: { grid: GridAnswer; namespace: string; text: string }) {
  const scroller = useRef<HTMLDivElement>(null);
  const at = useSignal({ run: Math.max(0, grid.runs.length - 1), task: 0 });
  const over = useSignal<{ x: number; y: number; run: number; task: number } | null>(null);
  const focused = useSignal(false);
  const scrolled = useSignal(0);
  const high = useSignal(400);
  const wanted = text.trim().toLowerCase();
  const tasks = grid.tasks.map((_, task) => task).filter((task) => grid.tasks[task]!.toLowerCase().includes(wanted));
  const longest = Math.max(1, ...grid.runs.map((run) => run.seconds ?? 0));
  const failed = (run: number, task: number) => {
    const pairs = grid.failed[String(run)] ?? [];
    for (let place = 0; place + 1 < pairs.length; place += 2) if (pairs[place] === task) return pairs[place + 1]!;
    return 0;
  };
  const state = (run: number, task: number) => {
    const code = grid.cells[run]?.[task] ?? -1;
    return code < 0 ? null : (grid.states[code] ?? "");
  };

  const surface = useSurface((context, width, height) => {
    const top = scroller.current?.scrollTop ?? 0;
    const marked = over.value;
    context.font = `12.5px ${SANS}`;
    context.textBaseline = "middle";
    const first = Math.floor(top / CELL);
    const last = Math.min(tasks.length, Math.ceil((top + height - HEAD) / CELL));
    if (marked) {
      context.fillStyle = colour("hover");
      if (marked.task >= 0) context.fillRect(0, HEAD + marked.task * CELL - top, width, CELL);
      if (marked.run >= 0) context.fillRect(LABEL + marked.run * CELL, 0, CELL, height);
    }
    for (let row = first; row < last; row++) {
      const y = HEAD + row * CELL - top;
      context.fillStyle = colour("text");
      context.fillText(fitted(context, visible(grid.tasks[tasks[row]!]!).slice(0, 90), LABEL - 24), 16, y + CELL / 2);
      for (let run = 0; run < grid.runs.length; run++) {
        const found = state(run, tasks[row]!);
        if (found === null) continue;
        const x = LABEL + run * CELL;
        shape(context, found, x + 3.5, y + 3.5, 13);
        if (failed(run, tasks[row]!) > 0) {
          context.fillStyle = colour("fail");
          context.beginPath();
          context.arc(x + CELL - 4, y + 4.5, 2.6, 0, 7);
          context.fill();
        }
      }
    }
    context.fillStyle = colour("surface");
    context.fillRect(0, 0, width, HEAD);
    if (marked && marked.run >= 0) {
      context.fillStyle = colour("hover");
      context.fillRect(LABEL + marked.run * CELL, 0, CELL, HEAD);
    }
    grid.runs.forEach((run, place) => {
      const x = LABEL + place * CELL;
      const size = run.seconds === null ? 26 : Math.max(3, (run.seconds / longest) * 42);
      context.fillStyle = tone(run.phase);
      context.globalAlpha = run.seconds === null ? 0.45 : 1;
      context.fillRect(x + 4, HEAD - 8 - size, CELL - 8, size);
      context.globalAlpha = 1;
      if (run.phase === "Failed") shape(context, "Failed", x + 5, HEAD - 7, 9);
      if (place > 0 && run.revision !== grid.runs[place - 1]!.revision) {
        context.strokeStyle = colour("accent");
        context.lineWidth = 1;
        context.setLineDash([3, 3]);
        context.beginPath();
        context.moveTo(x + 0.5, 14);
        context.lineTo(x + 0.5, height);
        context.stroke();
        context.setLineDash([]);
        context.fillStyle = colour("accent");
        context.font = `10.5px ${SANS}`;
        context.fillText(`r${run.revision ?? "?"}`, x + 3, 8);
        context.font = `12.5px ${SANS}`;
      }
    });
    context.fillStyle = colour("muted");
    context.font = `11px ${SANS}`;
    context.fillText(took(longest), LABEL - 8 - context.measureText(took(longest)).width, HEAD - 50);
    context.strokeStyle = colour("line");
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(0, HEAD + 0.5);
    context.lineTo(width, HEAD + 0.5);
    context.stroke();
  });
  useEffect(() => {
    const element = scroller.current!;
    const observer = new ResizeObserver(() => (high.value = element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const place = (event: MouseEvent) => {
    const top = scroller.current?.scrollTop ?? 0;
    const run = Math.floor((event.offsetX - LABEL) / CELL);
    const task = event.offsetY < HEAD ? -1 : Math.floor((event.offsetY - HEAD + top) / CELL);
    return {
      run: run >= 0 && run < grid.runs.length ? run : -1,
      task: task < tasks.length ? task : -1,
    };
  };
  const open = (run: number, task: number) => {
    const found = grid.runs[run];
    if (found) go(to(["runs", namespace, found.name], task >= 0 ? { task: grid.tasks[tasks[task]!] } : {}));
  };
  const pressed = (event: KeyboardEvent) => {
    let { run, task } = at.value;
    if (event.key === "ArrowRight") run += 1;
    else if (event.key === "ArrowLeft") run -= 1;
    else if (event.key === "ArrowDown") task += 1;
    else if (event.key === "ArrowUp") task -= 1;
    else if (event.key === "Home") run = 0;
    else if (event.key === "End") run = grid.runs.length - 1;
    else if (event.key === "PageDown") task += 10;
    else if (event.key === "PageUp") task -= 10;
    else if (event.key === "Enter") {
      open(run, task);
      return;
    } else return;
    event.preventDefault();
    at.value = {
      run: Math.min(grid.runs.length - 1, Math.max(0, run)),
      task: Math.min(tasks.length - 1, Math.max(0, task)),
    };
    const element = scroller.current!;
    const y = at.value.task * CELL;
    if (y < element.scrollTop) element.scrollTop = y;
    if (y + CELL + HEAD > element.scrollTop + element.clientHeight)
      element.scrollTop = y + CELL + HEAD - element.clientHeight;
  };
  const words = (run: number, task: number) => {
    const found = grid.runs[run];
    const name = tasks[task] === undefined ? "" : visible(grid.tasks[tasks[task]!]!).slice(0, 120);
    const value = tasks[task] === undefined ? null : state(run, tasks[task]!);
    return [
      name,
      value === null ? "" : word("state", value),
      found ? visible(found.name).slice(0, 120) : "",
      found ? `${word("state", found.phase)}, ${took(found.seconds)}, ${moment(found.created)}` : "",
    ].filter(Boolean);
  };
  const cursor = at.value;
  const width = LABEL + grid.runs.length * CELL + 24;
  return (
    <div class="grid-view">
      <div
        ref={scroller}
        class="grid-scroll"
        role="grid"
        tabIndex={0}
        aria-label={t("dag.grid")}
        aria-rowcount={tasks.length}
        aria-colcount={grid.runs.length}
        aria-activedescendant="grid-cell"
        onKeyDown={pressed}
        onFocus={() => (focused.value = true)}
        onBlur={() => (focused.value = false)}
        onScroll={(event) => {
          scrolled.value = event.currentTarget.scrollTop;
          surface.redraw();
        }}
      >
        <div class="grid-canvas" style={{ minWidth: `${width}px` }} role="presentation">
          <canvas
            ref={surface.ref}
            aria-hidden="true"
            style={{ height: `${high.value}px` }}
            onPointerMove={(event) => {
              over.value = { x: event.offsetX, y: event.offsetY, ...place(event) };
            }}
            onPointerLeave={() => (over.value = null)}
            onClick={(event) => {
              const { run, task } = place(event);
              if (run >= 0) open(run, task);
            }}
          />
        </div>
        <div style={{ height: `${tasks.length * CELL + HEAD + 6}px` }} role="presentation" />
        <div role="row" class="grid-row">
          <div
            id="grid-cell"
            role="gridcell"
            aria-label={words(cursor.run, cursor.task).join(", ")}
            aria-rowindex={cursor.task + 1}
            aria-colindex={cursor.run + 1}
            class={focused.value ? "grid-cell on" : "grid-cell"}
            style={{
              left: `${LABEL + cursor.run * CELL}px`,
              top: `${HEAD + cursor.task * CELL}px`,
            }}
          />
        </div>
      </div>
      {over.value && over.value.run >= 0 && (
        <div
          class="tip"
          style={{
            left: `${Math.min(over.value.x + 16, LABEL + grid.runs.length * CELL)}px`,
            top: `${over.value.y + 18}px`,
          }}
          aria-hidden="true"
        >
          {words(over.value.run, over.value.task).map((line, index) =>
            index === 0 ? <strong key={index}>{line}</strong> : <span key={index}>{line}</span>,
          )}
        </div>
      )}
    </div>
  );
}
