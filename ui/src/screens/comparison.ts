/** Two runs of a DAG, task by task. Pure. */

import type { Json, TasksAnswer } from "../api";
import { stateOf, tasksOf } from "./run/rows";
import { segments, worked } from "./run/segments";

export interface Side {
  state: string;
  worked: number | null;
  waited: number;
  attempts: number;
}

export interface Pair {
  name: string;
  before: Side | null;
  after: Side | null;
  /** Another state, a task that one of them lacks, or much slower or faster. */
  differs: "state" | "missing" | "time" | null;
}

/** A duration differs if it is twice the other and ten seconds more. */
const FACTOR = 2;
const LEAST = 10;

export function pairs(before: TasksAnswer, after: TasksAnswer, now: number): Pair[] {
  const a = sides(before, now);
  const b = sides(after, now);
  const names = [...b.keys(), ...[...a.keys()].filter((name) => !b.has(name))];
  return names.map((name) => {
    const one = a.get(name) ?? null;
    const other = b.get(name) ?? null;
    return { name, before: one, after: other, differs: difference(one, other) };
  });
}

function difference(a: Side | null, b: Side | null): Pair["differs"] {
  if (a === null || b === null) return "missing";
  if (a.state !== b.state) return "state";
  const [low, high] = [Math.min(a.worked ?? 0, b.worked ?? 0), Math.max(a.worked ?? 0, b.worked ?? 0)];
  return high > low * FACTOR && high - low > LEAST ? "time" : null;
}

function sides(columns: TasksAnswer, now: number): Map<string, Side> {
  const found = new Map<string, Side>();
  for (const { row } of tasksOf(columns)) {
    const waited = segments(columns, row, now)
      .filter((one) => one.cause && one.cause !== "dependencies")
      .reduce((sum, one) => sum + one.to - one.from, 0);
    found.set(columns.names[columns.task[row]!]!, {
      state: stateOf(columns, row),
      worked: worked(columns, row, now),
      waited,
      attempts: columns.attempts[row] ?? 0,
    });
  }
  return found;
}

/** Names whose values differ, with both. */
export function changed(
  before: Record<string, Json>,
  after: Record<string, Json>,
): { name: string; before: Json | undefined; after: Json | undefined }[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names
    .map((name) => ({ name, before: before[name], after: after[name] }))
    .filter((one) => JSON.stringify(one.before) !== JSON.stringify(one.after));
}
