/** The address is the state: paths choose a screen, the query its filters and tabs. */

import { computed, signal } from "@preact/signals";
import { encoded } from "../api/client";

export interface Place {
  path: string;
  query: URLSearchParams;
}

function here(): Place {
  return { path: location.pathname, query: new URLSearchParams(location.search) };
}

export const place = signal<Place>(here());
export const segments = computed(() => place.value.path.split("/").filter(Boolean).map(decoded));
export const namespace = computed(() => place.value.query.get("ns") ?? "");

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Goes to an address of this application. */
export function go(href: string, replace = false): void {
  if (href === location.pathname + location.search) return;
  history[replace ? "replaceState" : "pushState"](null, "", href);
  const before = place.value.path;
  place.value = here();
  if (before !== place.value.path) {
    scrollTo(0, 0);
    // What was in focus goes with its screen: reading begins with the new one.
    document.getElementById("main")?.focus({ preventScroll: true });
  }
}

/** The address here with other query values; null takes one away. */
export function queried(changes: Record<string, string | null>): string {
  const query = new URLSearchParams(place.value.query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === "") query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  return place.value.path + (text ? `?${text}` : "");
}

/** An address of segments, which keeps the chosen namespace. */
export function to(parts: string[], query: Record<string, string | null | undefined> = {}): string {
  const search = new URLSearchParams();
  if (namespace.value) search.set("ns", namespace.value);
  for (const [name, value] of Object.entries(query)) if (value) search.set(name, value);
  const text = search.toString();
  return `/${parts.map(encoded).join("/")}${text ? `?${text}` : ""}`;
}

addEventListener("popstate", () => {
  place.value = here();
});

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return;
  const link = (event.target as Element | null)?.closest?.("a");
  if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (link.pathname.startsWith("/api/")) return;
  event.preventDefault();
  go(link.pathname + link.search);
});
