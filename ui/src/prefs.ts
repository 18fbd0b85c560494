/** What the reader has chosen, kept by the browser. */

import { effect, signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";
export type Zone = "local" | "utc";

function stored<T extends string>(name: string, values: readonly T[], otherwise: T): T {
  try {
    const value = localStorage.getItem(`tradewind.${name}`) as T | null;
    return value !== null && values.includes(value) ? value : otherwise;
  } catch {
    return otherwise;
  }
}

function kept(name: string, value: string): void {
  try {
    localStorage.setItem(`tradewind.${name}`, value);
  } catch {
    // Private windows may refuse: the choice lasts as long as the page.
  }
}

export const theme = signal<Theme>(stored("theme", ["system", "light", "dark"], "system"));
export const zone = signal<Zone>(stored("zone", ["local", "utc"], "local"));

const dark = matchMedia("(prefers-color-scheme: dark)");
/** Counts up when colours change: canvases are drawn again. */
export const painted = signal(0);
dark.addEventListener("change", () => {
  painted.value += 1;
});

effect(() => {
  const chosen = theme.value;
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  kept("theme", chosen);
  painted.value = painted.peek() + 1;
});
effect(() => kept("zone", zone.value));
