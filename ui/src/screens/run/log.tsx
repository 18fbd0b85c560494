/** The log of an attempt: only the lines in sight exist; what runs is followed. */

import { useSignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { RunDetail, TaskAnswer } from "../../api";
import { BASE, type Failed, path, readText } from "../../api/client";
import { t } from "../../i18n";
import { Empty, Foreign, Loading, Trouble } from "../../parts/basic";
import { go, place, queried } from "../../router/router";
import { LINE_BOUND, mark, spans } from "../../text/ansi";
import { failed } from "./actions";

const LINE = 19;
const AHEAD = 20;
const TAIL = 2000;
/** Lines that are kept; older ones go, and it is said. */
const KEPT = 50_000;

export function Log({ run, task }: { run: RunDetail; task: TaskAnswer }) {
  const wanted = Number(place.value.query.get("attempt"));
  const attempt = task.attempts.find((one) => one.number === wanted) ?? task.attempts.at(-1);
  if (!attempt)
    return (
      <Empty title={t("log.none")}>
        <p>{t("log.none.todo")}</p>
      </Empty>
    );
  const live = attempt.finished === null;
  return (
    <LogOf
      key={`${task.key}/${attempt.number}`}
      base={`logs/${path(run.namespace, run.name, task.key, attempt.number)}`}
      live={live}
      numbers={task.attempts.map((one) => one.number)}
      number={attempt.number}
    />
  );
}

function LogOf({ base, live, numbers, number }: { base: string; live: boolean; numbers: number[]; number: number }) {
  const lines = useSignal<string[]>([]);
  const dropped = useSignal(0);
  const error = useSignal<Failed | null>(null);
  const loading = useSignal(true);
  const whole = useSignal("");
  const detail = useSignal("");
  const ended = useSignal(!live);
  const follow = useSignal(live);
  const wanted = useSignal("");
  const hit = useSignal(-1);
  const top = useSignal(0);
  const high = useSignal(400);
  const scroller = useRef<HTMLDivElement>(null);

  const took = (more: string[]) => {
    const all = [...lines.value, ...more];
    if (all.length > KEPT) {
      dropped.value += all.length - KEPT;
      lines.value = all.slice(all.length - KEPT);
    } else lines.value = all;
  };
  const load = async (signal: AbortSignal) => {
    loading.value = true;
    try {
      const { text, headers } = await readText(`${base}?tail=${TAIL}`, signal);
      lines.value = split(text);
      whole.value = headers.get("X-Tradewind-Log") ?? "complete";
      error.value = null;
    } catch (problem) {
      if (signal.aborted) return;
      const said = failed(problem);
      // 404: it is gone, and why; 409: there is none yet.
      if (said.problem.status === 404 || said.problem.status === 409) {
        whole.value = said.problem.status === 404 ? "gone" : "none";
        detail.value = said.problem.detail;
      } else error.value = said;
    }
    if (!signal.aborted) loading.value = false;
  };
  useEffect(() => {
    const gone = new AbortController();
    if (!live) {
      void load(gone.signal);
      return () => gone.abort();
    }
    let first = true;
    const stream = new EventSource(`${BASE}${base}/follow`);
    stream.onmessage = (event: MessageEvent<string>) => {
      loading.value = false;
      try {
        const said = JSON.parse(event.data) as unknown;
        if (!Array.isArray(said)) return;
        if (first) lines.value = [];
        first = false;
        took(said.map(String));
      } catch {
        // Not lines: nothing to show.
      }
    };
    stream.addEventListener("skipped", (event) => {
      try {
        dropped.value += (JSON.parse((event as MessageEvent<string>).data) as { lines?: number }).lines ?? 0;
      } catch {
        // The number is a courtesy.
      }
    });
    stream.addEventListener("end", () => {
      ended.value = true;
      loading.value = false;
      stream.close();
    });
    stream.onerror = () => {
      // The pod has ended, or the stream was refused: what there is comes by the other route.
      stream.close();
      ended.value = true;
      void load(gone.signal);
    };
    return () => {
      gone.abort();
      stream.close();
    };
  }, [base, live]);
  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const observer = new ResizeObserver(() => (high.value = element.clientHeight));
    observer.observe(element);
    return () => observer.disconnect();
  }, [lines.value.length > 0]);
  useEffect(() => {
    if (follow.value && scroller.current) scroller.current.scrollTop = scroller.current.scrollHeight;
  }, [lines.value, follow.value]);

  const marks = useMemo(() => lines.value.map(mark), [lines.value]);
  const firstError = marks.indexOf("error");
  const hits = useMemo(() => {
    const text = wanted.value.toLowerCase();
    if (!text) return [];
    const found: number[] = [];
    lines.value.forEach((line, at) => {
      if (line.slice(0, LINE_BOUND).toLowerCase().includes(text)) found.push(at);
    });
    return found;
  }, [lines.value, wanted.value]);
  const show = (line: number) => {
    follow.value = false;
    if (scroller.current) scroller.current.scrollTop = Math.max(0, line * LINE - high.value / 3);
  };
  const next = (step: number) => {
    if (hits.length === 0) return;
    hit.value = (hit.value + step + hits.length) % hits.length;
    show(hits[hit.value]!);
  };
  const first = Math.max(0, Math.floor(top.value / LINE) - AHEAD);
  const last = Math.min(lines.value.length, Math.ceil((top.value + high.value) / LINE) + AHEAD);
  const found = new Set(hits);
  return (
    <div class="log">
      <div class="log-bar row">
        {numbers.length > 1 && (
          <select
            class="field small"
            aria-label={t("task.attempts")}
            value={String(number)}
            onChange={(event) => go(queried({ attempt: event.currentTarget.value }), true)}
          >
            {numbers.map((one) => (
              <option key={one} value={String(one)}>
                {t("log.attempt", { number: one })}
              </option>
            ))}
          </select>
        )}
        <input
          type="search"
          list={undefined}
          class="field small"
          aria-label={t("log.find")}
          placeholder={t("log.find")}
          onInput={(event) => {
            wanted.value = event.currentTarget.value;
            hit.value = -1;
          }}
          onKeyDown={(event) => event.key === "Enter" && next(event.shiftKey ? -1 : 1)}
        />
        {wanted.value && <span class="muted num">{t("log.hits", { count: hits.length })}</span>}
        {firstError !== -1 && (
          <button type="button" class="button small" onClick={() => show(firstError)}>
            {t("log.firstError")}
          </button>
        )}
        <span class="spread" />
        {live && (
          <label class="check">
            <input
              type="checkbox"
              checked={follow.value}
              onChange={(event) => (follow.value = event.currentTarget.checked)}
            />
            {t("log.follow")}
          </label>
        )}
        <span class="muted num">{t("log.lines", { count: lines.value.length })}</span>
        <a
          class="button small quiet"
          href={`${BASE}${base}?download=true`}
          download={`${base.split("/").slice(1).join("-")}.log`}
        >
          {t("common.download")}
        </a>
      </div>
      {whole.value === "truncated" && <p class="log-note">{t("log.truncated", { count: lines.value.length })}</p>}
      {dropped.value > 0 && <p class="log-note">{t("log.dropped", { count: dropped.value })}</p>}
      {error.value ? (
        <Trouble error={error.value} again={() => void load(new AbortController().signal)} />
      ) : loading.value ? (
        <Loading rows={4} />
      ) : whole.value === "gone" && lines.value.length === 0 ? (
        <Empty title={t("log.gone")}>
          <p>{detail.value ? <Foreign text={detail.value} bound={600} /> : t("log.gone.todo")}</p>
        </Empty>
      ) : lines.value.length === 0 ? (
        <Empty title={t(ended.value && whole.value !== "none" ? "log.empty" : "log.waiting")}>
          {detail.value && (
            <p>
              <Foreign text={detail.value} bound={600} />
            </p>
          )}
        </Empty>
      ) : (
        <div
          ref={scroller}
          class="log-lines"
          tabIndex={0}
          role="log"
          aria-live="off"
          aria-label={t("task.log")}
          onScroll={(event) => {
            const element = event.currentTarget;
            if (element.scrollTop < top.value - 2) follow.value = false;
            top.value = element.scrollTop;
          }}
        >
          <div class="log-all" style={{ height: `${lines.value.length * LINE}px` }}>
            {lines.value.slice(first, last).map((line, at) => (
              <Line
                key={first + at + dropped.value}
                number={first + at + dropped.value + 1}
                at={first + at}
                line={line}
                kind={marks[first + at]!}
                found={found.has(first + at)}
                current={hits[hit.value] === first + at}
              />
            ))}
          </div>
        </div>
      )}
    </div>
  );
}

function Line({
  number,
  at,
  line,
  kind,
  found,
  current,
}: {
  number: number;
  at: number;
  line: string;
  kind: string;
  found: boolean;
  current: boolean;
}) {
  const parts = useMemo(() => spans(line), [line]);
  return (
    <div
      class={`log-line${kind ? ` mark-${kind}` : ""}${found ? " found" : ""}${current ? " current" : ""}`}
      style={{ top: `${at * LINE}px` }}
    >
      <span class="log-number" aria-hidden="true">
        {number}
      </span>
      <bdi>
        {parts.map((part, index) =>
          part.className ? (
            <span key={index} class={part.className}>
              {part.text}
            </span>
          ) : (
            part.text
          ),
        )}
        {line.length > LINE_BOUND && <i class="muted">{t("log.longer", { count: line.length - LINE_BOUND })}</i>}
      </bdi>
    </div>
  );
}

/** The lines of a text; a newline at its end is not another line. */
export function split(text: string): string[] {
  if (text === "") return [];
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}
