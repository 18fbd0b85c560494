/** Times and durations, in the reader's zone and language. */

import { signal } from "@preact/signals";
import { language } from "../i18n";
import { zone } from "../prefs";

let ticking: ReturnType<typeof setInterval> | undefined;

/** Now, epoch milliseconds; moves once a second while something shows it and the page is seen. */
export const now = signal(Date.now(), {
  watched() {
    this.value = Date.now();
    ticking = setInterval(() => {
      if (!document.hidden) this.value = Date.now();
    }, 1000);
  },
  unwatched: () => clearInterval(ticking),
});

const formats = new Map<string, Intl.DateTimeFormat>();

function format(kind: "full" | "short" | "clock" | "day"): Intl.DateTimeFormat {
  const key = `${kind} ${language.value} ${zone.value}`;
  let made = formats.get(key);
  if (!made) {
    const timeZone = zone.value === "utc" ? "UTC" : undefined;
    const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
    const options: Intl.DateTimeFormatOptions =
      kind === "full"
        ? { dateStyle: "medium", timeStyle: "long", hourCycle: "h23" }
        : kind === "short"
          ? { month: "short", day: "numeric", ...clock }
          : kind === "day"
            ? { month: "short", day: "numeric" }
            : { ...clock, second: "2-digit" };
    made = new Intl.DateTimeFormat(language.value === "fr" ? "fr" : "en-GB", { ...options, timeZone });
    formats.set(key, made);
  }
  return made;
}

/** A moment in words: complete, or only as much as a table needs. */
export function moment(at: number | null, kind: "full" | "short" | "clock" | "day" = "short"): string {
  return at === null || !Number.isFinite(at) ? "–" : format(kind).format(at);
}

const STAMP = /(\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z)/;

/** The pieces of a text: its times in UTC as epoch milliseconds, and what is between them. */
export function timed(text: string): (string | number)[] {
  return text.split(STAMP).map((part, at) => {
    const value = at % 2 === 1 ? Date.parse(part) : Number.NaN;
    return Number.isFinite(value) ? value : part;
  });
}

/** Seconds as people say them: `<1s`, `42s`, `3m 20s`, `2h 5m`, `3d 4h`. */
export function took(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  const whole = Math.round(Math.abs(seconds));
  if (whole < 1) return "<1s";
  if (whole < 60) return `${whole}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return pair(minutes, "m", whole % 60, "s");
  const hours = Math.floor(minutes / 60);
  const day = language.value === "fr" ? "j" : "d";
  return hours < 24 ? pair(hours, "h", minutes % 60, "m") : pair(Math.floor(hours / 24), day, hours % 24, "h");
}

function pair(large: number, unit: string, small: number, smaller: string): string {
  return small === 0 ? `${large}${unit}` : `${large}${unit} ${small}${smaller}`;
}

/** How long ago, or in how long: one unit is enough. */
export function age(at: number, current: number): string {
  const seconds = (at - current) / 1000;
  const size = Math.abs(seconds);
  const [value, unit]: [number, Intl.RelativeTimeFormatUnit] =
    size < 60
      ? [seconds, "second"]
      : size < 3600
        ? [seconds / 60, "minute"]
        : size < 86_400
          ? [seconds / 3600, "hour"]
          : [seconds / 86_400, "day"];
  return relative().format(Math.trunc(value) || -0, unit);
}

let made: { key: string; format: Intl.RelativeTimeFormat } | null = null;
function relative(): Intl.RelativeTimeFormat {
  if (made?.key !== language.value)
    made = {
      key: language.value,
      format: new Intl.RelativeTimeFormat(language.value, {
        numeric: "always",
        style: language.value === "fr" ? "short" : "narrow",
      }),
    };
  return made.format;
}
