/** Log lines: colours by a fixed table, everything else of terminals' language dropped, what is hidden shown. */

import { visible } from "./visible";

export interface Span {
  text: string;
  className: string;
}

const NAMES = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"] as const;
// CSI … , OSC … (BEL or ST), DCS/SOS/PM/APC … ST, and two-character escapes.
const ESCAPES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the language of terminals is made of them
  /\u001b\[([0-9;:?<=>]*)[ -/]*([@-~])|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\|$)|\u001b[PX^_][^\u001b]*(?:\u001b\\|$)|\u001b[ -/]*[0-~]?/g;
/** Characters of a line that are drawn; the rest is said to be there. */
export const LINE_BOUND = 4_000;

interface Style {
  bold: boolean;
  dim: boolean;
  italic: boolean;
  underline: boolean;
  color: string;
}

const plain = (): Style => ({ bold: false, dim: false, italic: false, underline: false, color: "" });

/** The pieces of one line. A carriage return overwrites what is before it, as progress bars mean it. */
export function spans(line: string): Span[] {
  const bounded = line.length > LINE_BOUND ? line.slice(0, LINE_BOUND) : line;
  const text = overwritten(bounded);
  const found: Span[] = [];
  let style = plain();
  let from = 0;
  const put = (end: number) => {
    if (end > from) found.push({ text: visible(text.slice(from, end)), className: className(style) });
  };
  for (const match of text.matchAll(ESCAPES)) {
    put(match.index);
    from = match.index + match[0].length;
    if (match[2] === "m") style = styled(style, match[1] ?? "");
  }
  put(text.length);
  return found;
}

function overwritten(line: string): string {
  const text = line.endsWith("\r") ? line.slice(0, -1) : line;
  const last = text.lastIndexOf("\r");
  return last === -1 ? text : text.slice(last + 1);
}

function className(style: Style): string {
  const names = [];
  if (style.bold) names.push("ansi-bold");
  if (style.dim) names.push("ansi-dim");
  if (style.italic) names.push("ansi-italic");
  if (style.underline) names.push("ansi-underline");
  if (style.color) names.push(`ansi-${style.color}`);
  return names.join(" ");
}

function styled(before: Style, codes: string): Style {
  const style = { ...before };
  const numbers = codes.split(/[;:]/).map((code) => (code === "" ? 0 : Number(code)));
  for (let at = 0; at < numbers.length; at++) {
    const code = numbers[at]!;
    if (code === 0) Object.assign(style, plain());
    else if (code === 1) style.bold = true;
    else if (code === 2) style.dim = true;
    else if (code === 3) style.italic = true;
    else if (code === 4) style.underline = true;
    else if (code === 22) style.bold = style.dim = false;
    else if (code === 23) style.italic = false;
    else if (code === 24) style.underline = false;
    else if (code === 39) style.color = "";
    else if (code >= 30 && code <= 37) style.color = NAMES[code - 30]!;
    else if (code >= 90 && code <= 97) style.color = NAMES[code - 90]!;
    else if (code === 38 || code === 48) {
      const kind = numbers[at + 1];
      const palette = numbers[at + 2] ?? 16;
      if (kind === 5 && code === 38) style.color = palette < 16 ? NAMES[palette % 8]! : "";
      at += kind === 5 ? 2 : kind === 2 ? 4 : 0;
    }
  }
  return style;
}

export type LogMark = "error" | "warning" | "debug" | "group" | "endgroup" | "";

/** What a line says of itself: `::error::`, `::group::name`, … or a level at its beginning. */
export function mark(line: string): LogMark {
  const command = /^(?:\S+ )?::(error|warning|debug|group|endgroup)(?: [^:]*)?::/.exec(line.slice(0, 300));
  if (command) return command[1] as LogMark;
  if (/\b(ERROR|FATAL|CRITICAL|panic:|Traceback \(most recent)/.test(line.slice(0, 200))) return "error";
  if (/\bWARN(ING)?\b/.test(line.slice(0, 200))) return "warning";
  return "";
}
