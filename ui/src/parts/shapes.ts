/** Every state has a colour, a shape and a word. Shapes are even-odd fills in 16 × 16, for SVG and canvas alike. */

export type Tone = "ok" | "run" | "fail" | "wait" | "idle" | "skip" | "person" | "cancel";

const RING = "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1Zm0 2a5 5 0 1 1 0 10A5 5 0 0 1 8 3Z";
const OCTAGON = "M5.1 1h5.8L15 5.1v5.8L10.9 15H5.1L1 10.9V5.1Z";

export interface Look {
  tone: Tone;
  shape: string;
}

export const LOOKS: Record<string, Look> = {
  Succeeded: { tone: "ok", shape: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1ZM3.9 8.3 5.1 7l2 2 3.8-4.1 1.2 1.2-5 5.3Z" },
  Failed: {
    tone: "fail",
    shape: `${OCTAGON}M5.4 4.3 8 6.9l2.6-2.6 1.1 1.1L9.1 8l2.6 2.6-1.1 1.1L8 9.1l-2.6 2.6-1.1-1.1L6.9 8 4.3 5.4Z`,
  },
  Lost: { tone: "fail", shape: "M8 1.2 15.4 14.6H.6ZM7.1 5.8h1.8v4.4H7.1ZM7.1 11.2h1.8V13H7.1Z" },
  UpstreamFailed: {
    tone: "fail",
    shape: `${OCTAGON}M5.8 2.7h4.4l3.1 3.1v4.4l-3.1 3.1H5.8l-3.1-3.1V5.8ZM8 4.2l3.1 3.2-1.1 1-1.2-1.2v4.4H7.2V7.2L6 8.4l-1.1-1Z`,
  },
  Skipped: { tone: "skip", shape: "M2 3h2.3L8.5 8l-4.2 5H2l4.2-5ZM7.7 3H10l4.2 5-4.2 5H7.7l4.2-5Z" },
  Cancelled: { tone: "cancel", shape: `${RING}M4.3 10.8 10.8 4.3l.9.9-6.5 6.5Z` },
  Running: { tone: "run", shape: `${RING}M8 4.2a3.8 3.8 0 0 1 0 7.6Z` },
  Pending: { tone: "run", shape: `${RING}M8 6a2 2 0 1 0 0 4A2 2 0 0 0 8 6Z` },
  Ready: { tone: "run", shape: RING },
  Waiting: { tone: "wait", shape: "M3 1h10v2.2L9.4 8l3.6 4.8V15H3v-2.2L6.6 8 3 3.2ZM5 2.7 8 6.5l3-3.8Z" },
  Blocked: { tone: "idle", shape: "M2.6 2.6h10.8v10.8H2.6ZM4.4 4.4v7.2h7.2V4.4Z" },
  Queued: { tone: "idle", shape: "M2 3h12v2H2ZM2 7h12v2H2ZM2 11h12v2H2Z" },
  Suspended: { tone: "wait", shape: "M3.5 2h3.2v12H3.5ZM9.3 2h3.2v12H9.3Z" },
  Approval: {
    tone: "person",
    shape: "M8 1.2a3.3 3.3 0 1 0 0 6.6 3.3 3.3 0 0 0 0-6.6ZM1.8 14.8c.3-3.8 2.8-5.7 6.2-5.7s5.9 1.9 6.2 5.7Z",
  },
  Invalid: { tone: "fail", shape: "M8 1.2 15.4 14.6H.6ZM7.1 5.8h1.8v4.4H7.1ZM7.1 11.2h1.8V13H7.1Z" },
};

export function look(state: string): Look {
  return Object.hasOwn(LOOKS, state) ? LOOKS[state]! : LOOKS.Queued!;
}

/** Colours of what a task waits for, by cause; drawn with a hatch, so that they are told apart without colour from work. */
export const CAUSES = [
  "queued run",
  "dependencies",
  "back-off",
  "parallelism",
  "pool",
  "quota",
  "person",
  "operator",
  "scheduling",
  "image",
  "configuration",
] as const;

const ACTIVE = new Set(["Running", "Pending", "Ready", "Waiting", "Blocked", "Queued", ""]);
export const ENDED = (state: string): boolean => !ACTIVE.has(state);

const RANK = [
  "Failed",
  "Lost",
  "UpstreamFailed",
  "Running",
  "Pending",
  "Waiting",
  "Ready",
  "Blocked",
  "Cancelled",
  "Skipped",
];
/** Failed first, then what is active, then what waits, then what has ended well. */
export function rank(state: string): number {
  const at = RANK.indexOf(state);
  return at === -1 ? RANK.length : at;
}
