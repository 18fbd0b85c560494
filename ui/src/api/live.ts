/** One stream of events for the whole page; closed while the page is hidden, so that many tabs don't block each other. */

import { signal } from "@preact/signals";
import { BASE } from "./client";

export type Liveness = "connecting" | "live" | "away";

export const liveness = signal<Liveness>("connecting");
/** When the stream last gave a sign of life, epoch milliseconds. */
export const heard = signal(0);
/** Seconds by which what the server knows is behind; 0 is fine. */
export const behind = signal(0);

const listeners = new Map<string, Set<() => void>>();
let stream: EventSource | null = null;
let open = "";
let due: ReturnType<typeof setTimeout> | undefined;
let retries = 0;

/** Calls `changed` when the topic changes; answers how to stop that. */
export function follow(topic: string, changed: () => void): () => void {
  const known = listeners.get(topic) ?? new Set();
  known.add(changed);
  listeners.set(topic, known);
  schedule(20);
  return () => {
    known.delete(changed);
    if (known.size === 0 && listeners.get(topic) === known) listeners.delete(topic);
    schedule(200);
  };
}

function schedule(ms: number): void {
  clearTimeout(due);
  due = setTimeout(connect, ms);
}

function connect(): void {
  const topics = [...listeners.keys()].sort();
  const wanted = document.hidden ? "" : topics.map((topic) => `topic=${encodeURIComponent(topic)}`).join("&");
  if (wanted === open && (stream !== null || wanted === "")) return;
  stream?.close();
  stream = null;
  open = wanted;
  if (wanted === "") return;
  const mine = new EventSource(`${BASE}stream?${wanted}`);
  stream = mine;
  mine.onopen = () => {
    const again = retries > 0 || liveness.value === "away";
    retries = 0;
    liveness.value = "live";
    heard.value = Date.now();
    if (again) everything();
  };
  mine.onerror = () => {
    if (stream !== mine) return;
    liveness.value = "away";
    mine.close();
    stream = null;
    retries += 1;
    schedule(Math.min(15_000, 500 * 2 ** Math.min(retries, 5)));
  };
  const told = (event: MessageEvent<string>) => {
    heard.value = Date.now();
    liveness.value = "live";
    const said = parsed(event.data)?.topic as string | undefined;
    if (said) for (const changed of listeners.get(said) ?? []) changed();
  };
  mine.addEventListener("topic", told);
  mine.addEventListener("message", told);
  mine.addEventListener("reset", everything);
  mine.addEventListener("health", (event) => {
    behind.value = (parsed((event as MessageEvent<string>).data)?.behind as number | undefined) ?? 0;
  });
  mine.addEventListener("closed", () => {
    // The rights or the session have ended: reading anew says which.
    mine.close();
    stream = null;
    everything();
    schedule(15_000);
  });
}

function parsed(data: string): Record<string, unknown> | null {
  try {
    return JSON.parse(data) as Record<string, unknown>;
  } catch {
    return null;
  }
}

function everything(): void {
  for (const known of listeners.values()) for (const changed of known) changed();
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    stream?.close();
    stream = null;
    open = "";
  } else {
    schedule(0);
    everything();
  }
});
addEventListener("online", () => schedule(0));
