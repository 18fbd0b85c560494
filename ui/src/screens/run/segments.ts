/** From columns to what a row of the Gantt shows: waits by cause, and attempts. Pure. */

import type { TasksAnswer } from "../../api";

export interface Segment {
  /** Seconds from the run's beginning. */
  from: number;
  to: number;
  /** A cause of waiting; "" for work. */
  cause: string;
  /** For work: which attempt, from 1. */
  attempt: number;
  /** For work: whether another attempt came after it. */
  again: boolean;
}

/** Seconds that an attempt is drawn with at least: times are whole seconds. */
const SHORTEST = 0.5;

/** Waits fill the gaps before and between the bars, in order; the last one grows while the row waits. */
export function segments(columns: TasksAnswer, row: number, now: number): Segment[] {
  const ends = bars(columns, row, now);
  const found: Segment[] = [];
  const waits = columns.waits[row] ?? [];
  const since = columns.since[row];
  const current = Math.max(0, (now - columns.epoch) / 1000);
  let gap = 0;
  let from = 0;
  const limit = () => (gap < ends.length ? ends[gap]![0] : Number.POSITIVE_INFINITY);
  for (let at = 0; at + 1 < waits.length; at += 2) {
    const last = at + 3 > waits.length - 1 && since !== null && since !== undefined;
    while (limit() - from < 0.5 && gap < ends.length) from = ends[gap++]![1];
    const start = last ? Math.max(from, (since! - columns.epoch) / 1000) : from;
    const to = last ? Math.max(start, current) : Math.min(start + waits[at + 1]!, limit());
    if (to > start) found.push({ from: start, to, cause: columns.causes[waits[at]!] ?? "", attempt: 0, again: false });
    from = to;
  }
  ends.forEach(([start, end], at) => {
    found.push({
      from: start,
      to: Math.max(end, start + SHORTEST),
      cause: "",
      attempt: at + 1,
      again: at < ends.length - 1,
    });
  });
  return found.sort((a, b) => a.from - b.from);
}

/** Start and end of each attempt; what runs, runs until now. */
export function bars(columns: TasksAnswer, row: number, now: number): [number, number][] {
  const flat = columns.bars[row] ?? [];
  const current = (now - columns.epoch) / 1000;
  const found: [number, number][] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) found.push([flat[at]!, flat[at + 1]! < 0 ? current : flat[at + 1]!]);
  const start = columns.start[row];
  if (found.length === 0 && start !== null && start !== undefined) {
    const end = columns.end[row] ?? now;
    found.push([(start - columns.epoch) / 1000, (end - columns.epoch) / 1000]);
  }
  return found;
}

/** How long the picture is, in seconds. */
export function extent(columns: TasksAnswer, now: number): number {
  let end = 1;
  for (let row = 0; row < columns.n; row++) {
    const flat = columns.bars[row] ?? [];
    for (let at = 1; at < flat.length; at += 2)
      end = Math.max(end, flat[at]! < 0 ? (now - columns.epoch) / 1000 : flat[at]!, flat[at - 1]! + SHORTEST);
    const last = columns.end[row];
    if (last) end = Math.max(end, (last - columns.epoch) / 1000);
    if (columns.since[row]) end = Math.max(end, (now - columns.epoch) / 1000);
  }
  return end;
}

const STEPS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800,
];

/** Seconds between the marks of an axis, so that they are `apart` pixels from each other at least. */
export function axisStep(secondsPerPixel: number, apart = 80): number {
  const wanted = secondsPerPixel * apart;
  return STEPS.find((step) => step >= wanted) ?? Math.ceil(wanted / 604_800) * 604_800;
}

/** Seconds worked so far or in all, over all attempts. */
export function worked(columns: TasksAnswer, row: number, now: number): number | null {
  const found = bars(columns, row, now);
  return found.length === 0 ? null : found.reduce((sum, [from, to]) => sum + Math.max(0, to - from), 0);
}
