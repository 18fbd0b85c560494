/** What a screen shows: an answer, read again when its topic changes, kept for when one comes back. */

import { type Signal, signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { Failed, read } from "./client";
import { follow } from "./live";

export interface Resource<T> {
  data: Signal<T | null>;
  error: Signal<Failed | null>;
  loading: Signal<boolean>;
  again: () => void;
}

interface Kept {
  data: unknown;
  etag: string | null;
}

const KEPT = 40;
const kept = new Map<string, Kept>();

/** What the server said when it did not know the session; null while it does. */
export const unauthorized = signal<string | null>(null);

function keep(path: string, value: Kept): void {
  kept.delete(path);
  kept.set(path, value);
  const oldest = kept.keys().next().value;
  if (kept.size > KEPT && oldest !== undefined) kept.delete(oldest);
}

/** Reads `path` (null: nothing yet) and follows `topics`. The data of the last good answer stays while a newer one fails. */
export function useResource<T>(path: string | null, topics: string[] = []): Resource<T> {
  const state = useMemo(() => {
    const last = path === null ? undefined : kept.get(path);
    return {
      data: signal<T | null>((last?.data ?? null) as T | null),
      error: signal<Failed | null>(null),
      loading: signal(path !== null && last === undefined),
      again: () => {},
    };
  }, [path]);
  const topic = topics.join(" ");
  useEffect(() => {
    if (path === null) return;
    const gone = new AbortController();
    let busy = false;
    let more = false;
    let retry: ReturnType<typeof setTimeout> | undefined;
    const load = async () => {
      if (busy) {
        more = true;
        return;
      }
      busy = true;
      clearTimeout(retry);
      try {
        const answer = await read<T>(path, kept.get(path)?.etag ?? null, gone.signal);
        if (!answer.same && answer.data !== null) {
          keep(path, { data: answer.data, etag: answer.etag });
          state.data.value = answer.data as T;
        } else if (state.data.value === null) {
          state.data.value = (kept.get(path)?.data ?? null) as T | null;
        }
        state.error.value = null;
      } catch (error) {
        if (gone.signal.aborted) return;
        const failed = error instanceof Failed ? error : new Failed({ title: String(error), detail: "", status: 0 });
        if (failed.problem.status === 401) unauthorized.value = failed.problem.detail;
        if (failed.problem.status === 404) kept.delete(path);
        state.error.value = failed;
        if (failed.problem.status === 0 || failed.problem.status >= 500) retry = setTimeout(load, 4000);
      } finally {
        busy = false;
        if (!gone.signal.aborted) state.loading.value = false;
      }
      if (more && !gone.signal.aborted) {
        more = false;
        void load();
      }
    };
    state.again = () => void load();
    void load();
    const stops = topic ? topic.split(" ").map((name) => follow(name, () => void load())) : [];
    return () => {
      gone.abort();
      clearTimeout(retry);
      for (const stop of stops) stop();
    };
  }, [path, topic, state]);
  return state;
}
