/** Tabs whose choice is in the address. */

import type { ComponentChildren } from "preact";
import { go, place, queried } from "../router/router";

export interface Tab {
  id: string;
  label: string;
  badge?: ComponentChildren;
}

export function Tabs({
  tabs,
  name = "tab",
  label,
  small,
}: {
  tabs: Tab[];
  name?: string;
  label: string;
  small?: boolean;
}) {
  const chosen = chosenTab(tabs, name);
  const move = (event: KeyboardEvent) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const at = tabs.findIndex((tab) => tab.id === chosen);
    const next = tabs[(at + step + tabs.length) % tabs.length]!;
    go(queried({ [name]: next.id }), true);
    const list = (event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>("[role=tab]");
    list[(at + step + tabs.length) % tabs.length]?.focus();
  };
  return (
    <div class={small ? "tabs small" : "tabs"} role="tablist" aria-label={label} onKeyDown={move}>
      {tabs.map((tab) => (
        <button
          key={tab.id}
          type="button"
          role="tab"
          id={`${name}-${tab.id}`}
          aria-selected={tab.id === chosen}
          tabIndex={tab.id === chosen ? 0 : -1}
          onClick={() => go(queried({ [name]: tab.id }), true)}
        >
          {tab.label}
          {tab.badge !== undefined && <span class="count">{tab.badge}</span>}
        </button>
      ))}
    </div>
  );
}

export function chosenTab(tabs: Tab[], name = "tab"): string {
  const wanted = place.value.query.get(name);
  return tabs.some((tab) => tab.id === wanted) ? wanted! : tabs[0]!.id;
}
