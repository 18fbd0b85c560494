/** Small parts that every screen uses. */

import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useMemo } from "preact/hooks";
import type { Failed } from "../api/client";
import type { Resource } from "../api/resource";
import { type Key, t, word } from "../i18n";
import { age, moment, now, timed, took } from "../text/time";
import { pieces } from "../text/visible";
import { look } from "./shapes";

/** A state's shape, in its colour; the word is beside it, or its name for screen readers. */
export function Shape({ state, alone, size = 14 }: { state: string; alone?: boolean; size?: number }) {
  const { tone, shape } = look(state);
  const name = word("state", state);
  return (
    <svg
      class={`shape tone-${tone}`}
      width={size}
      height={size}
      viewBox="0 0 16 16"
      {...(alone ? { role: "img", "aria-label": name } : { "aria-hidden": "true" })}
    >
      {alone && <title>{name}</title>}
      <path d={shape} fill="currentColor" fill-rule="evenodd" />
    </svg>
  );
}

export function State({ state, words }: { state: string; words?: string }) {
  return (
    <span class={`state tone-${look(state).tone}`}>
      <Shape state={state} />
      <span>{words ?? word("state", state)}</span>
    </span>
  );
}

/** Text from outside: hidden characters shown, web addresses as links. */
export function Foreign({ text, bound = 4000 }: { text: string; bound?: number }) {
  const parts = useMemo(() => pieces(text.length > bound ? `${text.slice(0, bound)}…` : text), [text, bound]);
  return (
    <bdi>
      {parts.map((piece) =>
        piece.href ? (
          <a href={piece.href} target="_blank" rel="noopener noreferrer">
            {piece.text}
          </a>
        ) : (
          piece.text
        ),
      )}
    </bdi>
  );
}

/** A sentence of the server: what is between backticks is code, and times are in the reader's zone. */
export function Words({ text, bound = 2000 }: { text: string; bound?: number }) {
  const parts = text.slice(0, bound).split(/`([^`\n]{1,300})`/);
  return (
    <bdi>
      {parts.map((part, at) =>
        at % 2 === 1 ? (
          <code key={at}>
            <Foreign text={part} bound={bound} />
          </code>
        ) : (
          timed(part).map((piece, place) =>
            typeof piece === "number" ? (
              <When key={`${at}.${place}`} at={piece} />
            ) : piece ? (
              <Foreign key={`${at}.${place}`} text={piece} bound={bound} />
            ) : null,
          )
        ),
      )}
      {text.length > bound && "…"}
    </bdi>
  );
}

/** How long ago, ticking; the moment itself on hover. */
export function Ago({ at }: { at: number | null }) {
  if (at === null) return <span class="muted">–</span>;
  return (
    <time dateTime={new Date(at).toISOString()} title={moment(at, "full")} class="num">
      {age(at, now.value)}
    </time>
  );
}

/** When something comes next. What is due at any moment is not said to be in the past. */
export function Next({ at }: { at: number }) {
  return at <= now.value ? <span>{t("dags.due")}</span> : <Ago at={at} />;
}

export function When({ at, kind = "short" }: { at: number | null; kind?: "short" | "full" | "clock" }) {
  if (at === null) return <span class="muted">–</span>;
  return (
    <time dateTime={new Date(at).toISOString()} title={moment(at, "full")} class="num">
      {moment(at, kind)}
    </time>
  );
}

/** A duration; of what goes on, it ticks from its start. */
export function Took({ seconds, since }: { seconds: number | null; since?: number | null }) {
  const value = seconds ?? (since ? Math.max(0, (now.value - since) / 1000) : null);
  return <span class="num">{took(value)}</span>;
}

const ICONS = {
  overview: "M2 2h5v6H2ZM9 2h5v4H9ZM9 8h5v6H9ZM2 10h5v4H2Z",
  runs: "M4 2.5v11l9-5.5Z",
  dags: "M6 1h4v4H8.8v2H13v4h1v4h-4v-4h1.5V8.5h-7V11H6v4H2v-4h1V7h4.2V5H6Z",
  approvals: "M8 1.2a3.3 3.3 0 1 0 0 6.6 3.3 3.3 0 0 0 0-6.6ZM1.8 14.8c.3-3.8 2.8-5.7 6.2-5.7s5.9 1.9 6.2 5.7Z",
  triggers: "M9.5 1 3 9h4l-.8 6L13 6.5H8.7Z",
  backfills: "M8 2V0L3.5 3.5 8 7V4.6a4.2 4.2 0 1 1-4.2 4.2H1.4A6.6 6.6 0 1 0 8 2Z",
  pools: "M1 9h3V4h3v5h2V6h3v3h3v2.2H1Zm0 3.8h14V15H1Z",
  assets:
    "M8 1c3.6 0 6 .9 6 2.3v9.4C14 14.1 11.6 15 8 15s-6-.9-6-2.300V3.300C2 1.9 4.4 1 8 1ZM3.800 6.200v6.200c.7.5 2.3.900 4.2.900s3.500-.4 4.2-.9V6.200C11.100 6.7 9.6 6.9 8 6.900s-3.1-.2-4.2-.7Z",
  health: "M8 14.5 2.3 8.600A3.700 3.7 0 0 1 7.6 3.400L8 3.800l.4-.4a3.700 3.7 0 0 1 5.3 5.200Z",
  search:
    "M6.800 1a5.800 5.8 0 1 0 3.5 10.400l3.300 3.3 1.3-1.3-3.3-3.300A5.800 5.8 0 0 0 6.8 1Zm0 1.800a4 4 0 1 1 0 8 4 4 0 0 1 0-8Z",
  settings:
    "M2 3.500h6.200a2 2 0 0 1 3.6 0H14v1.600h-2.200a2 2 0 0 1-3.6 0H2ZM2 10.900h2.200a2 2 0 0 1 3.6 0H14v1.600H7.800a2 2 0 0 1-3.6 0H2Z",
  close:
    "M3.900 2.8 8 6.900l4.100-4.1 1.1 1.100L9.100 8l4.100 4.1-1.1 1.100L8 9.100l-4.1 4.1-1.1-1.100L6.900 8 2.8 3.900Z",
  right: "M5.500 2.5 11 8l-5.5 5.5-1.2-1.200L8.600 8 4.3 3.700Z",
  down: "M2.500 5.5 8 11l5.500-5.5-1.2-1.200L8 8.6 3.7 4.300Z",
  plus: "M7.100 2h1.800v5.100H14v1.800H8.900V14H7.100V8.900H2V7.100h5.100Z",
  minus: "M2 7.100h12v1.800H2Z",
  fit: "M1.500 1.500H6v1.700H3.200V6H1.500ZM10 1.500h4.500V6h-1.700V3.200H10ZM1.500 10h1.700v2.800H6v1.700H1.500ZM12.800 10h1.700v4.500H10v-1.700h2.800Z",
  copy: "M5 1h9v10h-2V3H5ZM2 4h8.500v11H2Zm1.700 1.700v7.600h5.100V5.700Z",
  info: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1ZM7.100 7h1.800v5H7.100ZM7.100 4h1.800v1.800H7.100Z",
} as const;
export type IconName = keyof typeof ICONS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
      <path d={ICONS[name]} fill="currentColor" fill-rule="evenodd" />
    </svg>
  );
}

export function Empty({
  title,
  children,
  icon = "info",
}: {
  title: string;
  children?: ComponentChildren;
  icon?: IconName;
}) {
  return (
    <div class="empty">
      <Icon name={icon} size={22} />
      <p class="empty-title">{title}</p>
      {children && <div class="empty-todo">{children}</div>}
    </div>
  );
}

const TITLES: Record<number, Key> = { 0: "error.away", 403: "error.forbidden", 404: "error.notFound" };

/** What went wrong, in the words of the server. */
export function Trouble({ error, again }: { error: Failed; again?: () => void }) {
  const { status, title, detail } = error.problem;
  const key = TITLES[status];
  return (
    <div class="trouble" role="alert">
      <p class="trouble-title">{key ? t(key) : title || t("error.title")}</p>
      {status === 0 ? (
        <p>{t("away.start.todo")}</p>
      ) : (
        <p>{detail ? <Words text={detail} /> : status === 404 ? t("error.notFound.todo") : null}</p>
      )}
      {again && (
        <button type="button" class="button" onClick={again}>
          {t("error.again")}
        </button>
      )}
    </div>
  );
}

export function Loading({ rows = 6 }: { rows?: number }) {
  return (
    <div class="skeleton" role="status" aria-label={t("common.loading")}>
      {Array.from({ length: rows }, (_, row) => (
        <span key={row} class={`bone bone-${row % 3}`} />
      ))}
    </div>
  );
}

/** The data of a resource, or what there is instead of it. */
export function Loaded<T>({
  of,
  children,
  rows,
}: {
  of: Resource<T>;
  children: (data: T) => JSX.Element | null;
  rows?: number;
}) {
  const data = of.data.value;
  const error = of.error.value;
  if (data !== null)
    return (
      <>
        {error && error.problem.status !== 0 && <Trouble error={error} again={of.again} />}
        {children(data)}
      </>
    );
  if (error) return <Trouble error={error} again={of.again} />;
  return <Loading rows={rows} />;
}

export function Copy({ text, label }: { text: string; label?: string }) {
  const done = useSignal(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      done.value = true;
      setTimeout(() => {
        done.value = false;
      }, 1500);
    } catch {
      // The browser does not let us: the text can be selected.
    }
  };
  return (
    <button type="button" class="button small quiet" onClick={copy}>
      <Icon name="copy" size={13} /> {done.value ? t("common.copied") : (label ?? t("common.copy"))}
    </button>
  );
}

export function Code({ text, label }: { text: string; label: string }) {
  return (
    <section class="code" aria-label={label}>
      <div class="code-head">
        <span class="code-label">{label}</span>
        <Copy text={text} />
      </div>
      <pre tabIndex={0}>
        <Foreign text={text} bound={200_000} />
      </pre>
    </section>
  );
}

export function Section({
  title,
  count,
  aside,
  children,
  id,
}: {
  title: string;
  count?: number | string;
  aside?: ComponentChildren;
  children: ComponentChildren;
  id?: string;
}) {
  return (
    <section class="section" id={id} aria-label={title}>
      <header class="section-head">
        <h2>
          {title}
          {count !== undefined && <span class="count">{count}</span>}
        </h2>
        {aside && <div class="section-aside">{aside}</div>}
      </header>
      {children}
    </section>
  );
}
