/** A graph on a canvas: drag to move, Ctrl and the wheel to zoom, arrow keys to walk along the edges. */

import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { t, word } from "../i18n";
import { Icon } from "../parts/basic";
import { visible } from "../text/visible";
import { around, layered } from "./layout";
import { colour, fitted, SANS, shape, tone } from "./paint";
import { useSurface } from "./surface";

export interface Node {
  name: string;
  /** What is below the name. */
  text: string;
  /** "" where nothing has a state. */
  state: string;
  marked?: boolean;
  group?: string;
}

const WIDE = 176;
const HIGH = 44;
const GAP_X = 58;
const GAP_Y = 20;
const MOST = 300;
const EDGE = 24;
/** Nothing is made smaller than this without being asked. */
const LEGIBLE = 0.8;

interface View {
  x: number;
  y: number;
  zoom: number;
}

export function Graph({
  nodes,
  edges,
  chosen,
  choose,
  label,
}: {
  nodes: Node[];
  edges: number[];
  chosen: number | null;
  choose: (node: number) => void;
  label: string;
}) {
  const structure = `${nodes.map((node) => node.name).join("\0")} ${edges.join(",")}`;
  const near = nodes.length > MOST;
  const centre = near ? (chosen ?? 0) : -1;
  const shown = useMemo(
    () => (near ? around(nodes.length, edges, centre, 2, MOST) : nodes.map((_, node) => node)),
    [structure, centre],
  );
  const { placed, local, kept } = useMemo(() => {
    const index = new Map(shown.map((node, at) => [node, at]));
    const inside: number[] = [];
    for (let at = 0; at + 1 < edges.length; at += 2) {
      const from = index.get(edges[at]!);
      const to = index.get(edges[at + 1]!);
      if (from !== undefined && to !== undefined) inside.push(from, to);
    }
    return { placed: layered(shown.length, inside), local: index, kept: inside };
  }, [shown]);
  const view = useRef<View>({ x: EDGE, y: EDGE, zoom: 1 });
  const active = useSignal(chosen ?? shown[0] ?? 0);
  const focused = useSignal(false);
  const moved = useSignal(0);
  const drag = useRef<{ x: number; y: number; far: boolean } | null>(null);

  const left = (node: number) => placed.layer[local.get(node)!]! * (WIDE + GAP_X);
  const top = (node: number) => placed.at[local.get(node)!]! * (HIGH + GAP_Y);
  const whole = { width: placed.layers * (WIDE + GAP_X) - GAP_X, height: placed.rows * (HIGH + GAP_Y) - GAP_Y };

  const surface = useSurface((context, width, high) => {
    const { x, y, zoom } = view.current;
    context.save();
    context.translate(x, y);
    context.scale(zoom, zoom);
    const seen = (cx: number, cy: number, w: number, h: number) =>
      (cx + w) * zoom + x > 0 && cx * zoom + x < width && (cy + h) * zoom + y > 0 && cy * zoom + y < high;
    const beside = new Set<number>();
    for (let at = 0; at + 1 < kept.length; at += 2) {
      const from = kept[at]!;
      const to = kept[at + 1]!;
      const lit = shown[from] === chosen || shown[to] === chosen;
      const marked = nodes[shown[from]!]!.marked && nodes[shown[to]!]!.marked;
      if (lit) beside.add(at);
      context.strokeStyle = lit ? colour("accent") : marked ? colour("text") : colour("line-strong");
      context.lineWidth = lit || marked ? 1.8 : 1.2;
      edge(
        context,
        placed.bends[at / 2]!,
        [left(shown[from]!) + WIDE, top(shown[from]!) + HIGH / 2],
        [left(shown[to]!), top(shown[to]!) + HIGH / 2],
      );
    }
    for (const node of shown) {
      const cx = left(node);
      const cy = top(node);
      if (seen(cx, cy, WIDE, HIGH)) box(context, nodes[node]!, cx, cy, node === chosen, zoom);
    }
    context.restore();
  });

  const fit = (least = 0.15) => {
    const { width, height: high } = surface.size();
    if (width === 0) return;
    const zoom = Math.max(least, Math.min(1, (width - 2 * EDGE) / whole.width, (high - 2 * EDGE) / whole.height));
    const wide = whole.width * zoom > width - 2 * EDGE;
    // Of what does not fit legibly the chosen node is in the middle, else the beginning is seen.
    const focus = chosen !== null && local.has(chosen) ? chosen : null;
    view.current = {
      zoom,
      x: !wide
        ? (width - whole.width * zoom) / 2
        : focus === null
          ? EDGE
          : Math.min(EDGE, Math.max(width - EDGE - whole.width * zoom, width / 2 - (left(focus) + WIDE / 2) * zoom)),
      y: Math.max(EDGE, (high - whole.height * zoom) / 2),
    };
    moved.value += 1;
    surface.redraw();
  };
  useEffect(() => {
    const due = requestAnimationFrame(() => requestAnimationFrame(() => fit(LEGIBLE)));
    return () => cancelAnimationFrame(due);
  }, [placed]);
  useEffect(() => {
    if (chosen !== null && local.has(chosen)) active.value = chosen;
    else if (!local.has(active.value)) active.value = shown[0] ?? 0;
  }, [chosen, local]);

  const zoomed = (factor: number, cx?: number, cy?: number) => {
    const { width, height: high } = surface.size();
    const { x, y, zoom } = view.current;
    const next = Math.min(2.5, Math.max(0.15, zoom * factor));
    const px = cx ?? width / 2;
    const py = cy ?? high / 2;
    view.current = { zoom: next, x: px - ((px - x) * next) / zoom, y: py - ((py - y) * next) / zoom };
    moved.value += 1;
    surface.redraw();
  };
  useEffect(() => {
    const canvas = surface.ref.current!;
    const wheel = (event: WheelEvent) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoomed(Math.exp(-event.deltaY / 240), event.offsetX, event.offsetY);
    };
    canvas.addEventListener("wheel", wheel, { passive: false });
    return () => canvas.removeEventListener("wheel", wheel);
  });
  const nodeAt = (event: MouseEvent): number | null => {
    const { x, y, zoom } = view.current;
    const px = (event.offsetX - x) / zoom;
    const py = (event.offsetY - y) / zoom;
    return (
      shown.find((node) => px >= left(node) && px <= left(node) + WIDE && py >= top(node) && py <= top(node) + HIGH) ??
      null
    );
  };
  const walk = (event: KeyboardEvent) => {
    const at = local.get(active.value);
    if (at === undefined) return;
    let next: number | undefined;
    if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      const forward = event.key === "ArrowRight";
      const found: number[] = [];
      for (let edge = 0; edge + 1 < kept.length; edge += 2) {
        if (forward && kept[edge] === at) found.push(kept[edge + 1]!);
        if (!forward && kept[edge + 1] === at) found.push(kept[edge]!);
      }
      next = found.sort(
        (a, b) => Math.abs(placed.at[a]! - placed.at[at]!) - Math.abs(placed.at[b]! - placed.at[at]!),
      )[0];
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const sign = event.key === "ArrowDown" ? 1 : -1;
      next = placed.layer
        .map((layer, node) => ({ layer, node }))
        .filter(({ layer, node }) => layer === placed.layer[at] && sign * (placed.at[node]! - placed.at[at]!) > 0)
        .sort((a, b) => sign * (placed.at[a.node]! - placed.at[b.node]!))[0]?.node;
    } else if (event.key === "Home") next = 0;
    else if (event.key === "End") next = shown.length - 1;
    else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      choose(active.value);
      return;
    } else if (event.key === "+" || event.key === "-") {
      zoomed(event.key === "+" ? 1.25 : 0.8);
      return;
    } else if (event.key === "0") {
      fit();
      return;
    } else return;
    event.preventDefault();
    if (next !== undefined) {
      active.value = shown[next]!;
      reveal(active.value);
    }
  };
  const reveal = (node: number) => {
    const { width, height: high } = surface.size();
    const v = view.current;
    const x = left(node) * v.zoom + v.x;
    const y = top(node) * v.zoom + v.y;
    if (x < EDGE) v.x += EDGE - x;
    if (x + WIDE * v.zoom > width - EDGE) v.x -= x + WIDE * v.zoom - width + EDGE;
    if (y < EDGE) v.y += EDGE - y;
    if (y + HIGH * v.zoom > high - EDGE) v.y -= y + HIGH * v.zoom - high + EDGE;
    moved.value += 1;
    surface.redraw();
  };
  void moved.value;
  const now = local.has(active.value) ? nodes[active.value] : undefined;
  const { x, y, zoom } = view.current;
  return (
    <div class="graph" style={{ height: `${Math.min(460, Math.max(190, whole.height + 3 * EDGE))}px` }}>
      <div
        class="graph-tree"
        role="tree"
        tabIndex={0}
        aria-label={label}
        aria-activedescendant={now ? "graph-node" : undefined}
        onKeyDown={walk}
        onFocus={() => (focused.value = true)}
        onBlur={() => (focused.value = false)}
      >
        <canvas
          ref={surface.ref}
          aria-hidden="true"
          onPointerDown={(event) => {
            drag.current = { x: event.clientX, y: event.clientY, far: false };
            event.currentTarget.setPointerCapture(event.pointerId);
          }}
          onPointerMove={(event) => {
            const from = drag.current;
            if (!from) {
              event.currentTarget.style.cursor = nodeAt(event) === null ? "grab" : "pointer";
              return;
            }
            const dx = event.clientX - from.x;
            const dy = event.clientY - from.y;
            if (!from.far && Math.hypot(dx, dy) < 4) return;
            drag.current = { x: event.clientX, y: event.clientY, far: true };
            view.current = { ...view.current, x: view.current.x + dx, y: view.current.y + dy };
            moved.value += 1;
            surface.redraw();
          }}
          onPointerUp={(event) => {
            const far = drag.current?.far;
            drag.current = null;
            const node = far ? null : nodeAt(event);
            if (node !== null) {
              active.value = node;
              choose(node);
            }
          }}
        />
        {now && (
          <div
            id="graph-node"
            role="treeitem"
            aria-selected={active.value === chosen}
            aria-label={`${visible(now.name)}, ${now.state ? word("state", now.state) : ""} ${visible(now.text)}`}
            class={focused.value ? "graph-focus on" : "graph-focus"}
            style={{
              left: `${left(active.value) * zoom + x - 3}px`,
              top: `${top(active.value) * zoom + y - 3}px`,
              width: `${WIDE * zoom + 6}px`,
              height: `${HIGH * zoom + 6}px`,
            }}
          />
        )}
      </div>
      {near && <p class="graph-note muted">{t("graph.near", { count: shown.length, total: nodes.length })}</p>}
      <div class="zoom">
        <button type="button" aria-label={t("view.in")} onClick={() => zoomed(1.25)}>
          <Icon name="plus" size={13} />
        </button>
        <button type="button" aria-label={t("view.out")} onClick={() => zoomed(0.8)}>
          <Icon name="minus" size={13} />
        </button>
        <button type="button" aria-label={t("view.fit")} onClick={() => fit()}>
          <Icon name="fit" size={13} />
        </button>
      </div>
    </div>
  );
}

function edge(
  context: CanvasRenderingContext2D,
  bends: [number, number][],
  from: [number, number],
  to: [number, number],
): void {
  context.beginPath();
  context.moveTo(from[0], from[1]);
  let [x, y] = from;
  const curve = (nx: number, ny: number) => {
    const middle = (x + nx) / 2;
    context.bezierCurveTo(middle, y, middle, ny, nx, ny);
    x = nx;
    y = ny;
  };
  for (const [layer, place] of bends) {
    const bx = layer * (WIDE + GAP_X);
    const by = place * (HIGH + GAP_Y) + HIGH / 2;
    curve(bx, by);
    context.lineTo(bx + WIDE, by);
    x = bx + WIDE;
  }
  curve(to[0] - 5, to[1]);
  context.stroke();
  context.beginPath();
  context.moveTo(to[0], to[1]);
  context.lineTo(to[0] - 7, to[1] - 3.6);
  context.lineTo(to[0] - 7, to[1] + 3.6);
  context.closePath();
  context.fillStyle = context.strokeStyle;
  context.fill();
}

function box(context: CanvasRenderingContext2D, node: Node, x: number, y: number, chosen: boolean, zoom: number): void {
  const quiet = node.state === "Blocked" || node.state === "" || node.state === "Skipped";
  context.fillStyle = colour(chosen ? "accent-soft" : "surface");
  context.strokeStyle = chosen ? colour("accent") : node.state && !quiet ? tone(node.state) : colour("line-strong");
  context.lineWidth = chosen ? 2 : node.marked ? 1.8 : 1.2;
  context.setLineDash(node.state === "Skipped" || node.state === "Blocked" ? [4, 3] : []);
  context.beginPath();
  context.roundRect(x, y, WIDE, HIGH, 7);
  context.fill();
  context.stroke();
  context.setLineDash([]);
  if (zoom < 0.3) {
    if (node.state) shape(context, node.state, x + WIDE / 2 - 14, y + HIGH / 2 - 14, 28);
    return;
  }
  const indent = node.state ? 30 : 12;
  if (node.state) shape(context, node.state, x + 10, y + 8, 13);
  context.fillStyle = colour("text");
  context.textBaseline = "middle";
  context.font = `550 12.500px ${SANS}`;
  context.fillText(
    fitted(context, visible(node.name).slice(0, 80), WIDE - indent - 10),
    x + indent,
    y + (node.text ? 15.5 : HIGH / 2),
  );
  if (node.text) {
    context.fillStyle = colour("muted");
    context.font = `11px ${SANS}`;
    context.fillText(fitted(context, visible(node.text).slice(0, 80), WIDE - indent - 10), x + indent, y + 31);
  }
}
