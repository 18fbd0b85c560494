/** Rows that don't move under the pointer: known ones change in place, new ones wait behind a pill. */

import { type Signal, signal } from "@preact/signals";
import { useMemo } from "preact/hooks";

export interface Settled<T> {
  rows: T[];
  /** How many new rows wait. */
  fresh: number;
  show: () => void;
  /** For the element around the rows. */
  hold: { onPointerEnter: () => void; onPointerLeave: () => void };
}

/** The order to show: `shown` as it is while held, else that of `now`. */
export function order(shown: string[], now: string[], held: boolean): string[] {
  if (!held || shown.length === 0) return now;
  const present = new Set(now);
  return shown.filter((key) => present.has(key));
}

interface Memory {
  shown: string[];
  held: boolean;
  asked: Signal<number>;
}

/** `name` changes when other rows are wanted (a filter): then nothing is held back. */
export function useSettled<T>(rows: T[], keyOf: (row: T) => string, name = ""): Settled<T> {
  const memory = useMemo<Memory>(() => ({ shown: [], held: false, asked: signal(0) }), [name]);
  void memory.asked.value;
  const byKey = new Map(rows.map((row) => [keyOf(row), row]));
  const now = [...byKey.keys()];
  memory.shown = order(memory.shown, now, memory.held);
  return {
    rows: memory.shown.map((key) => byKey.get(key)!),
    fresh: now.length - memory.shown.length,
    show: () => {
      memory.shown = [];
      memory.asked.value += 1;
    },
    hold: {
      onPointerEnter: () => {
        memory.held = true;
      },
      onPointerLeave: () => {
        memory.held = false;
        memory.asked.value += 1;
      },
    },
  };
}
