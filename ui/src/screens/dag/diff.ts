/** The difference of two texts, line by line. Pure. */

export interface DiffLine {
  kind: "same" | "added" | "removed" | "skipped";
  text: string;
}

/** Lines beyond which only the common beginning and end are found: the table of the rest would be too large. */
const BOUND = 2_000;

export function diff(before: string, after: string): DiffLine[] {
  const a = before.split("\n");
  const b = after.split("\n");
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const lines: DiffLine[] = a.slice(0, head).map((text) => ({ kind: "same", text }));
  lines.push(...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)));
  lines.push(...a.slice(a.length - tail).map((text): DiffLine => ({ kind: "same", text })));
  return lines;
}

function middle(a: string[], b: string[]): DiffLine[] {
  const removed = (text: string): DiffLine => ({ kind: "removed", text });
  const added = (text: string): DiffLine => ({ kind: "added", text });
  if (a.length * b.length > BOUND * BOUND) return [...a.map(removed), ...b.map(added)];
  const width = b.length + 1;
  const common = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      common[i * width + j] =
        a[i] === b[j]
          ? common[(i + 1) * width + j + 1]! + 1
          : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
  const lines: DiffLine[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      lines.push({ kind: "same", text: a[i]! });
      i++;
      j++;
    } else if (common[(i + 1) * width + j]! >= common[i * width + j + 1]!) lines.push(removed(a[i++]!));
    else lines.push(added(b[j++]!));
  }
  while (i < a.length) lines.push(removed(a[i++]!));
  while (j < b.length) lines.push(added(b[j++]!));
  return lines;
}

/** The changes with `around` lines beside each; what is between is counted. */
export function folded(lines: DiffLine[], around = 3): DiffLine[] {
  const near = new Uint8Array(lines.length);
  lines.forEach((line, at) => {
    if (line.kind === "same") return;
    for (let other = Math.max(0, at - around); other <= Math.min(lines.length - 1, at + around); other++)
      near[other] = 1;
  });
  const found: DiffLine[] = [];
  for (let at = 0; at < lines.length; at++) {
    if (near[at]) found.push(lines[at]!);
    else {
      let count = 0;
      while (at < lines.length && !near[at]) {
        count++;
        at++;
      }
      at--;
      found.push({ kind: "skipped", text: String(count) });
    }
  }
  return found;
}
