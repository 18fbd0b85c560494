/** Requests to the server: one place for headers, errors and ETags. */

export interface Problem {
  title: string;
  detail: string;
  status: number;
  field?: string;
}

/** What went wrong, in the server's words. `status` 0: the server did not answer. */
export class Failed extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title);
  }
}

export const BASE = "/api/v1/";

export interface Answer<T> {
  data: T;
  etag: string | null;
  same: boolean;
}

async function problemOf(answer: Response): Promise<Problem> {
  const text = await answer.text().catch(() => "");
  try {
    const said = JSON.parse(text) as Partial<Problem>;
    return {
      title: said.title ?? answer.statusText,
      detail: said.detail ?? "",
      status: answer.status,
      field: said.field,
    };
  } catch {
    return { title: answer.statusText || `HTTP ${answer.status}`, detail: text.slice(0, 2000), status: answer.status };
  }
}

async function asked(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(BASE + path, { credentials: "same-origin", ...init });
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new Failed({ title: "", detail: "", status: 0 });
  }
}

/** Reads a route; with an ETag the server may say that nothing has changed. */
export async function read<T>(path: string, etag: string | null, signal: AbortSignal): Promise<Answer<T | null>> {
  const answer = await asked(path, { signal, cache: "no-store", headers: etag ? { "If-None-Match": etag } : {} });
  if (answer.status === 304) return { data: null, etag, same: true };
  if (!answer.ok) throw new Failed(await problemOf(answer));
  return { data: (await answer.json()) as T, etag: answer.headers.get("ETag"), same: false };
}

export async function readText(path: string, signal: AbortSignal): Promise<{ text: string; headers: Headers }> {
  const answer = await asked(path, { signal, cache: "no-store" });
  if (!answer.ok) throw new Failed(await problemOf(answer));
  return { text: await answer.text(), headers: answer.headers };
}

/** Posts JSON. The headers are those that another site can't send. */
export async function post<T>(path: string, body: unknown, headers: Record<string, string> = {}): Promise<T> {
  const answer = await asked(path, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", "X-Tradewind": "1", ...headers },
  });
  if (!answer.ok) throw new Failed(await problemOf(answer));
  return (answer.status === 204 ? null : await answer.json()) as T;
}

/** A segment of a path; half a surrogate pair, which can't be encoded, becomes U+FFFD. */
export function encoded(segment: string | number): string {
  return encodeURIComponent(String(segment).toWellFormed());
}

/** A path of segments, each encoded. */
export function path(...segments: (string | number)[]): string {
  return segments.map(encoded).join("/");
}

/** A path with a query; what is empty is left out. */
export function withQuery(base: string, query: Record<string, string | number | null | undefined>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== null && value !== undefined && value !== "") search.set(name, String(value));
  const text = search.toString();
  return text ? `${base}?${text}` : base;
}
