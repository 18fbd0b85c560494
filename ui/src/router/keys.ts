/** Keys of the whole application; screens add their own by `onKey`. */

import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { search } from "../parts/search";
import { go, to } from "./router";

export const help = signal(false);

type Handler = (event: KeyboardEvent) => void;
const handlers = new Map<string, Set<Handler>>();
const PLACES: Record<string, string[]> = {
  o: [],
  r: ["runs"],
  d: ["dags"],
  a: ["approvals"],
  p: ["pools"],
  t: ["triggers"],
};
let went = 0;

function typing(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  return !!element?.closest?.("input, textarea, select, [contenteditable], dialog");
}

function pressed(event: KeyboardEvent): void {
  if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    search.value = true;
    return;
  }
  if (event.metaKey || event.ctrlKey || event.altKey || typing(event.target)) return;
  if (event.key === "g") {
    went = Date.now();
    return;
  }
  const place = PLACES[event.key];
  if (place && Date.now() - went < 1500) {
    went = 0;
    go(to(place));
    return;
  }
  if (event.key === "?") help.value = true;
  else if (event.key === "/") {
    event.preventDefault();
    search.value = true;
  } else if (event.key === "j" || event.key === "k") rows(event.key === "j" ? 1 : -1);
  else for (const handler of handlers.get(event.key) ?? []) handler(event);
}

/** Moves the focus to the next row that can be opened. */
function rows(step: number): void {
  const all = [...document.querySelectorAll<HTMLElement>("main [data-row]")].filter((row) => row.offsetParent !== null);
  if (all.length === 0) return;
  const at = all.findIndex((row) => row === document.activeElement || row.contains(document.activeElement));
  const next = all[at === -1 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step))]!;
  (next.matches("a, button, [tabindex]") ? next : (next.querySelector<HTMLElement>("a, button") ?? next)).focus();
}

export function startKeys(): () => void {
  document.addEventListener("keydown", pressed);
  return () => document.removeEventListener("keydown", pressed);
}

/** While the component is shown, `key` calls the handler. */
export function useKey(key: string, handler: Handler): void {
  useEffect(() => {
    const known = handlers.get(key) ?? new Set();
    known.add(handler);
    handlers.set(key, known);
    return () => {
      known.delete(handler);
    };
  });
}
