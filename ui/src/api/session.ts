/** Who looks, and the token of the link: traded for a cookie, then taken out of the address. */

import { effect, signal } from "@preact/signals";
import type { MeAnswer } from "../api";
import { Failed, post, read } from "./client";
import { behind, liveness } from "./live";
import { unauthorized } from "./resource";

export const me = signal<MeAnswer | null>(null);
export const startProblem = signal<Failed | null>(null);

export async function start(): Promise<void> {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token) {
    history.replaceState(null, "", location.pathname + location.search);
    try {
      await post("session", { token });
      unauthorized.value = null;
    } catch (error) {
      if (error instanceof Failed && error.problem.status === 0) startProblem.value = error;
      else unauthorized.value = error instanceof Failed ? error.problem.detail : "";
      return;
    }
  }
  await identify();
}

let due: ReturnType<typeof setTimeout> | undefined;

export async function identify(): Promise<void> {
  clearTimeout(due);
  try {
    me.value = (await read<MeAnswer>("me", null, new AbortController().signal)).data;
    startProblem.value = null;
  } catch (error) {
    const failed = error instanceof Failed ? error : new Failed({ title: String(error), detail: "", status: 0 });
    if (failed.problem.status === 401) unauthorized.value = failed.problem.detail;
    else {
      startProblem.value = failed;
      due = setTimeout(identify, 4000);
    }
  }
}

// The server may have been started anew, by another version or with other rights; what it can't see may have changed.
effect(() => {
  void behind.value;
  if (liveness.value === "live" && me.peek() !== null) void identify();
});

/** Whether buttons for this are shown enabled; the write itself is what decides. */
export function may(namespace: string, resource: string, verb: string): boolean {
  const can = me.value?.can;
  if (!can) return false;
  return [can[namespace], can["*"]].some((rights) => {
    const verbs = rights?.[resource] ?? [];
    return verbs.includes(verb) || verbs.includes("*");
  });
}
