/** From what is typed in a form to values of params. Pure. */

import type { Json, ParamRow } from "../../api";

/** A list of plain elements, typed one a line. */
export function isList(param: ParamRow): boolean {
  return param.type === "list" || param.type === "array";
}

/** What a field begins with: its default, as it is typed. */
export function typed(param: ParamRow, value: Json = param.default): string {
  if (value === null || value === undefined) return "";
  if (isList(param) && Array.isArray(value) && value.every((one) => typeof one === "string" && !one.includes("\n")))
    return value.join("\n");
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** What the form begins with: the values of another run, else the defaults. Secret ones are typed anew. */
export function begun(rows: ParamRow[], given: Record<string, Json>): Record<string, string> {
  return Object.fromEntries(
    rows.map((param) => {
      const known = !param.secret && Object.hasOwn(given, param.name);
      return [param.name, typed(param, known ? given[param.name] : param.default)];
    }),
  );
}

/** The value of what was typed; undefined leaves the param out, a string that can't be read stays for the server to refuse. */
export function meant(param: ParamRow, text: string): Json | undefined {
  if (param.enum.length > 0) return param.enum.find((one) => typed(param, one) === text);
  if (text === "") return param.nullable && param.default !== null ? null : undefined;
  if (param.type === "integer" || param.type === "number") {
    const number = Number(text);
    return text.trim() !== "" && Number.isFinite(number) ? number : text;
  }
  if (param.type === "boolean") return text === "true" ? true : text === "false" ? false : text;
  if (isList(param) || param.type === "object") {
    try {
      const value = JSON.parse(text) as Json;
      if (param.type === "object" || Array.isArray(value)) return value;
    } catch {
      // Not JSON: of a list, a line each.
    }
    return isList(param) ? text.split("\n").filter((line) => line !== "") : text;
  }
  return text;
}

/** The params that differ from their defaults. */
export function params(rows: ParamRow[], texts: Record<string, string>): Record<string, Json> {
  const found: Record<string, Json> = {};
  for (const param of rows) {
    const text = texts[param.name];
    if (text === undefined || text === typed(param)) continue;
    const value = meant(param, text);
    if (value !== undefined) found[param.name] = value;
  }
  return found;
}

export function sections(rows: ParamRow[]): [string, ParamRow[]][] {
  const found = new Map<string, ParamRow[]>();
  for (const row of rows) found.set(row.section, [...(found.get(row.section) ?? []), row]);
  return [...found];
}
