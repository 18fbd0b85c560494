/** From columns to the rows of the tree: groups, tasks, items; failed ones first. Pure. */

import type { TasksAnswer } from "../../api";

export interface Row {
  kind: "group" | "task" | "item";
  /** Of the columns; for a group that of its first task. */
  row: number;
  depth: number;
  /** What opens and closes it. */
  id: string;
  name: string;
  /** null where there is nothing inside. */
  open: boolean | null;
  state: string;
  /** Of what is inside: how many, ended, failed. */
  inside: { total: number; done: number; failed: number } | null;
}

export interface Wish {
  open: ReadonlySet<string>;
  text: string;
  failedFirst: boolean;
}

const BAD = new Set(["Failed", "Lost", "UpstreamFailed"]);
const DONE = new Set(["Succeeded", "Failed", "Lost", "Skipped", "UpstreamFailed", "Cancelled"]);

export function stateOf(columns: TasksAnswer, row: number): string {
  return columns.states[columns.state[row]!] ?? "";
}

/** What is most worth a look in a set of states. */
export function worst(states: Iterable<string>): string {
  const order = [
    "Failed",
    "Lost",
    "Running",
    "Pending",
    "Waiting",
    "Ready",
    "UpstreamFailed",
    "Blocked",
    "Cancelled",
    "Succeeded",
    "Skipped",
  ];
  let best = order.length;
  for (const state of states) {
    const at = order.indexOf(state);
    if (at !== -1 && at < best) best = at;
  }
  return order[best] ?? "";
}

interface Task {
  row: number;
  items: number[];
}

export function tasksOf(columns: TasksAnswer): Task[] {
  const found: Task[] = [];
  for (let row = 0; row < columns.n; row++) {
    if (columns.item[row] === -1) found.push({ row, items: [] });
    else found.at(-1)?.items.push(row);
  }
  return found;
}

/** The rows of a task's items, failed ones first; empty for an item, and for what is no fan-out. */
export function itemsOf(columns: TasksAnswer, key: string): number[] {
  const row = columns.key.indexOf(key);
  if (row === -1 || columns.item[row] !== -1) return [];
  const found: number[] = [];
  for (let at = row + 1; at < columns.n && columns.item[at] !== -1; at++) found.push(at);
  return failedFirst(columns, found);
}

/** What has to be open, or not be closed, for a row to be seen: its fan-out and its group. */
export function around(columns: TasksAnswer, key: string): { task: string; group: string } {
  const row = columns.key.indexOf(key);
  if (row === -1) return { task: "", group: "" };
  let task = row;
  while (task > 0 && columns.item[task] !== -1) task -= 1;
  const group = columns.group[columns.task[row]!] ?? -1;
  return { task: task === row ? "" : columns.key[task]!, group: group === -1 ? "" : `group:${columns.groups[group]}` };
}

function failedFirst(columns: TasksAnswer, rows: number[]): number[] {
  const good = (row: number) => Number(!BAD.has(stateOf(columns, row)));
  return [...rows].sort((a, b) => good(a) - good(b) || a - b);
}

export function treeRows(columns: TasksAnswer, wish: Wish): Row[] {
  const text = wish.text.trim().toLowerCase();
  const fits = (row: number) =>
    text === "" ||
    columns.key[row]!.toLowerCase().includes(text) ||
    (columns.label[row] ?? "").toLowerCase().includes(text) ||
    stateOf(columns, row).toLowerCase() === text;
  const counted = (rows: number[]) => {
    let done = 0;
    let failed = 0;
    for (const row of rows) {
      const state = stateOf(columns, row);
      if (DONE.has(state)) done += 1;
      if (state === "Failed" || state === "Lost") failed += 1;
    }
    return { total: rows.length, done, failed };
  };
  const bad = (task: Task) =>
    BAD.has(stateOf(columns, task.row))
      ? stateOf(columns, task.row) === "UpstreamFailed"
        ? 1
        : 0
      : task.items.some((row) => BAD.has(stateOf(columns, row)))
        ? 0
        : 2;

  const shown = (task: Task, depth: number): Row[] => {
    const own = fits(task.row);
    const items = text === "" || own ? task.items : task.items.filter(fits);
    if (!own && items.length === 0) return [];
    const id = columns.key[task.row]!;
    const fan = task.items.length > 0;
    const open = fan ? wish.open.has(id) || (text !== "" && !own) : null;
    const rows: Row[] = [
      {
        kind: "task",
        row: task.row,
        depth,
        id,
        name: columns.names[columns.task[task.row]!]!,
        open,
        state: stateOf(columns, task.row),
        inside: fan ? counted(task.items) : null,
      },
    ];
    if (open) {
      const sorted = wish.failedFirst ? failedFirst(columns, items) : items;
      for (const row of sorted)
        rows.push({
          kind: "item",
          row,
          depth: depth + 1,
          id: columns.key[row]!,
          name: columns.label[row] || `#${columns.item[row]}`,
          open: null,
          state: stateOf(columns, row),
          inside: null,
        });
    }
    return rows;
  };

  const tasks = tasksOf(columns);
  const groups = new Map<number, Task[]>();
  const order: (Task | number)[] = [];
  for (const task of tasks) {
    const group = columns.group[columns.task[task.row]!] ?? -1;
    if (group === -1) order.push(task);
    else {
      const known = groups.get(group);
      if (known) known.push(task);
      else {
        groups.set(group, [task]);
        order.push(group);
      }
    }
  }
  const badness = (entry: Task | number): number =>
    typeof entry === "number" ? Math.min(...groups.get(entry)!.map(bad)) : bad(entry);
  const arranged = <T extends Task | number>(entries: T[]): T[] =>
    wish.failedFirst
      ? entries
          .map((entry, at) => ({ entry, at }))
          .sort((a, b) => badness(a.entry) - badness(b.entry) || a.at - b.at)
          .map(({ entry }) => entry)
      : entries;
  const rows: Row[] = [];
  for (const entry of arranged(order)) {
    if (typeof entry !== "number") {
      rows.push(...shown(entry, 0));
      continue;
    }
    const inside = groups.get(entry)!;
    const id = `group:${columns.groups[entry]}`;
    const open = !wish.open.has(id); // groups are open until they are closed
    const below = arranged(inside).flatMap((task) => shown(task, 1));
    if (below.length === 0) continue;
    rows.push({
      kind: "group",
      row: inside[0]!.row,
      depth: 0,
      id,
      name: columns.groups[entry]!,
      open,
      state: worst(inside.map((task) => stateOf(columns, task.row))),
      inside: counted(inside.map((task) => task.row)),
    });
    if (open) rows.push(...below);
  }
  return rows;
}
