import { describe, expect, it } from "vitest";
import { axisStep, extent, segments, worked } from "../src/screens/run/segments";
import { columns } from "./columns";

const now = 1_000_000 + 100_000;
const short = (data: ReturnType<typeof columns>) =>
  segments(data, 0, now).map((one) => [one.from, one.to, one.cause || `attempt ${one.attempt}`]);

describe("a row of the Gantt", () => {
  it("has the waits before the first attempt, in order", () => {
    const data = columns([["a", "Succeeded"]], { bars: [[30, 50]], waits: [[0, 20, 1, 10]] });
    expect(short(data)).toEqual([
      [0, 20, "dependencies"],
      [20, 30, "pool"],
      [30, 50, "attempt 1"],
    ]);
  });

  it("has the waits between attempts", () => {
    const data = columns([["a", "Failed"]], { bars: [[10, 20, 50, 60]], waits: [[1, 10, 2, 30]] });
    expect(short(data)).toEqual([
      [0, 10, "pool"],
      [10, 20, "attempt 1"],
      [20, 50, "back-off"],
      [50, 60, "attempt 2"],
    ]);
    expect(segments(data, 0, now)[1]).toMatchObject({ again: true });
  });

  it("lets what waits now grow until now", () => {
    const data = columns([["a", "Ready"]], { waits: [[0, 40, 1, 5]], since: [1_000_000 + 40_000] });
    expect(short(data)).toEqual([
      [0, 40, "dependencies"],
      [40, 100, "pool"],
    ]);
  });

  it("draws what runs until now", () => {
    const data = columns([["a", "Running"]], { bars: [[60, -1]] });
    expect(short(data)).toEqual([[60, 100, "attempt 1"]]);
    expect(worked(data, 0, now)).toBe(40);
    expect(extent(data, now)).toBe(100);
  });

  it("never lets a wait reach into an attempt, whatever was rounded", () => {
    const data = columns([["a", "Succeeded"]], { bars: [[10, 20]], waits: [[1, 12]] });
    expect(short(data)[0]).toEqual([0, 10, "pool"]);
  });
});

describe("an axis", () => {
  it("has marks that are far enough from each other", () => {
    expect(axisStep(0.5)).toBe(60);
    expect(axisStep(20)).toBe(1800);
    expect(axisStep(1e7) % 604_800).toBe(0);
  });
});
