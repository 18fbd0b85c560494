import type { TasksAnswer } from "../src/api";

/** Columns of tasks for tests: rows as `name`, or `name[index]` for an item, with a state. */
export function columns(rows: [string, string][], more: Partial<TasksAnswer> = {}): TasksAnswer {
  const names = [...new Set(rows.map(([key]) => key.split("[")[0]!))];
  const states = [...new Set(rows.map(([, state]) => state))];
  const every = <T>(value: T): T[] => rows.map(() => value);
  return {
    n: rows.length,
    version: "1",
    partial: null,
    key: rows.map(([key]) => key),
    names,
    task: rows.map(([key]) => names.indexOf(key.split("[")[0]!)),
    item: rows.map(([key]) => (key.includes("[") ? Number.parseInt(key.split("[")[1]!, 10) : -1)),
    label: {},
    kinds: names.map(() => "pod"),
    fan: names.map((name) => rows.some(([key]) => key.startsWith(`${name}[`))),
    states,
    state: rows.map(([, state]) => states.indexOf(state)),
    start: every(null),
    end: every(null),
    attempts: every(0),
    losses: every(0),
    bars: rows.map(() => []),
    epoch: 1_000_000,
    whys: [],
    why: every(-1),
    causes: ["dependencies", "pool", "back-off"],
    waits: rows.map(() => []),
    since: every(null),
    edges: [],
    critical: [],
    groups: [],
    group: names.map(() => -1),
    ...more,
  };
}
