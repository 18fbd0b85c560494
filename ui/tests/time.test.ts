import { effect } from "@preact/signals";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { now, timed } from "../src/text/time";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("moves while something shows it, and leaves no timer behind", async () => {
  vi.resetModules();
  await import("../src/text/time");
  expect(vi.getTimerCount()).toBe(0);

  vi.setSystemTime(5_000_000);
  const seen: number[] = [];
  const stop = effect(() => void seen.push(now.value));
  const other = effect(() => void now.value);
  expect(seen.at(-1)).toBe(5_000_000);
  vi.advanceTimersByTime(2000);
  expect(seen.at(-1)).toBe(5_002_000);

  const hidden = vi.spyOn(document, "hidden", "get").mockReturnValue(true);
  vi.advanceTimersByTime(2000);
  expect(seen.at(-1)).toBe(5_002_000);
  hidden.mockRestore();

  stop();
  expect(vi.getTimerCount()).toBe(1);
  other();
  expect(vi.getTimerCount()).toBe(0);
});

it("finds the times in a sentence, and leaves alone what is none", () => {
  const at = Date.UTC(2026, 11, 1, 11, 58, 25);
  expect(timed("waits until 2026-12-01T11:58:25Z (in 5 s)")).toEqual(["waits until ", at, " (in 5 s)"]);
  expect(timed("2026-12-01T11:58:25.5Z")).toEqual(["", at + 500, ""]);
  expect(timed("until 2026-99-99T99:99:99Z").join("")).toBe("until 2026-99-99T99:99:99Z");
  expect(timed("partition 2026-12-01")).toEqual(["partition 2026-12-01"]);
});
