/** A layered layout of a graph: longest path, dummy nodes for long edges, barycentre sweeps. Pure. */

export interface Placed {
  /** By node: its layer, and its place from 0 in a column, in units of nodes. */
  layer: number[];
  at: number[];
  layers: number;
  /** The highest place in any column, plus one. */
  rows: number;
  /** By edge: the points between its ends, as layer and place. */
  bends: [number, number][][];
}

const SWEEPS = 8;

/** Lays out `count` nodes; `edges` are pairs from, to. Edges of a circle are left out of the order, not of the drawing. */
export function layered(count: number, edges: readonly number[]): Placed {
  const after: number[][] = Array.from({ length: count }, () => []);
  const before: number[][] = Array.from({ length: count }, () => []);
  for (let at = 0; at + 1 < edges.length; at += 2) {
    const from = edges[at]!;
    const to = edges[at + 1]!;
    if (from === to || from < 0 || to < 0 || from >= count || to >= count) continue;
    after[from]!.push(to);
    before[to]!.push(from);
  }
  const layer = longestPaths(count, after, before);
  pulled(layer, after, before);

  // Nodes and dummies: a dummy for each layer that an edge crosses.
  const columns: number[][] = [];
  const put = (node: number, column: number) => {
    while (columns.length <= column) columns.push([]);
    columns[column]!.push(node);
  };
  for (let node = 0; node < count; node++) put(node, layer[node]!);
  const left: number[][] = Array.from({ length: count }, () => []);
  const right: number[][] = Array.from({ length: count }, () => []);
  const chains: number[][] = [];
  let next = count;
  for (let at = 0; at + 1 < edges.length; at += 2) {
    const chain: number[] = [];
    chains.push(chain);
    const from = edges[at]!;
    const to = edges[at + 1]!;
    if (from >= count || to >= count || from < 0 || to < 0 || layer[from]! >= layer[to]!) continue;
    let last = from;
    for (let column = layer[from]! + 1; column < layer[to]!; column++) {
      left.push([last]);
      right.push([]);
      right[last]!.push(next);
      put(next, column);
      chain.push(next);
      last = next++;
    }
    right[last]!.push(to);
    left[to]!.push(last);
  }
  const order = new Float64Array(next);
  const ordered = (column: number[]) => {
    for (let place = 0; place < column.length; place++) order[column[place]!] = place;
  };
  columns.forEach(ordered);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    const beside = down ? left : right;
    for (let step = 1; step < columns.length; step++) {
      const column = columns[down ? step : columns.length - 1 - step]!;
      const weight = new Map(column.map((node) => [node, mean(beside[node]!, order) ?? order[node]!]));
      column.sort((a, b) => weight.get(a)! - weight.get(b)! || order[a]! - order[b]!);
      ordered(column);
    }
  }
  const places = straightened(columns, left, right, next);
  const lowest = Math.min(0, ...sample(places));
  const at: number[] = [];
  for (let node = 0; node < count; node++) at.push(places[node]! - lowest);
  const dummyLayer = new Map<number, number>();
  columns.forEach((column, index) => {
    for (const node of column) if (node >= count) dummyLayer.set(node, index);
  });
  const bends = chains.map((chain) =>
    chain.map((node): [number, number] => [dummyLayer.get(node)!, places[node]! - lowest]),
  );
  let rows = 0;
  for (const place of places) rows = Math.max(rows, place - lowest + 1);
  return { layer, at, layers: columns.length, rows, bends };
}

function sample(places: Float64Array): number[] {
  let lowest = 0;
  for (const place of places) if (place < lowest) lowest = place;
  return [lowest];
}

function mean(nodes: number[], order: Float64Array): number | null {
  if (nodes.length === 0) return null;
  let sum = 0;
  for (const node of nodes) sum += order[node]!;
  return sum / nodes.length;
}

function longestPaths(count: number, after: number[][], before: number[][]): number[] {
  const layer = new Array<number>(count).fill(0);
  const open = before.map((nodes) => nodes.length);
  const ready: number[] = [];
  for (let node = 0; node < count; node++) if (open[node] === 0) ready.push(node);
  const seen = new Uint8Array(count);
  for (let at = 0; at < count; at++) {
    let node = ready[at];
    if (node === undefined) {
      // A circle: take any node that is left, so that everything has a place.
      node = seen.indexOf(0);
      ready.push(node);
    }
    if (seen[node]) continue;
    seen[node] = 1;
    for (const to of after[node]!) {
      if (seen[to]) continue;
      layer[to] = Math.max(layer[to]!, layer[node]! + 1);
      open[to]! -= 1;
      if (open[to] === 0) ready.push(to);
    }
  }
  return layer;
}

/** Nodes without anything before them move right, next to what needs them. */
function pulled(layer: number[], after: number[][], before: number[][]): void {
  for (let node = 0; node < layer.length; node++) {
    if (before[node]!.length > 0 || after[node]!.length === 0) continue;
    let first = Number.POSITIVE_INFINITY;
    for (const to of after[node]!) first = Math.min(first, layer[to]!);
    layer[node] = Math.max(layer[node]!, first - 1);
  }
}

/** Places near the mean of the neighbours, one apart at least, in the order found. */
function straightened(columns: number[][], left: number[][], right: number[][], count: number): Float64Array {
  const place = new Float64Array(count);
  for (const column of columns)
    for (let at = 0; at < column.length; at++) place[column[at]!] = at - (column.length - 1) / 2;
  for (let sweep = 0; sweep < 6; sweep++) {
    const down = sweep % 2 === 0;
    for (let step = 0; step < columns.length; step++) {
      const column = columns[down ? step : columns.length - 1 - step]!;
      const wanted = column.map((node) => mean((down ? left : right)[node]!, place) ?? place[node]!);
      const low: number[] = [];
      for (const value of wanted) low.push(low.length === 0 ? value : Math.max(value, low.at(-1)! + 1));
      const high = new Array<number>(wanted.length);
      for (let at = wanted.length - 1; at >= 0; at--)
        high[at] = at === wanted.length - 1 ? wanted[at]! : Math.min(wanted[at]!, high[at + 1]! - 1);
      for (let at = 0; at < column.length; at++) place[column[at]!] = (low[at]! + high[at]!) / 2;
    }
  }
  return place;
}

/** Nodes within `hops` of the chosen one, in either direction; at most `most`. */
export function around(count: number, edges: readonly number[], chosen: number, hops: number, most: number): number[] {
  const beside: number[][] = Array.from({ length: count }, () => []);
  for (let at = 0; at + 1 < edges.length; at += 2) {
    beside[edges[at]!]!.push(edges[at + 1]!);
    beside[edges[at + 1]!]!.push(edges[at]!);
  }
  const found = new Set([chosen]);
  let rim = [chosen];
  for (let hop = 0; hop < hops; hop++) {
    const further: number[] = [];
    for (const node of rim)
      for (const other of beside[node]!)
        if (!found.has(other) && found.size < most) {
          found.add(other);
          further.push(other);
        }
    rim = further;
  }
  return [...found].sort((a, b) => a - b);
}
