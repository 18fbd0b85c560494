import { describe, expect, it } from "vitest";
import { around, itemsOf, treeRows } from "../src/screens/run/rows";
import { columns } from "./columns";

const wish = { open: new Set<string>(), text: "", failedFirst: true };

describe("the task tree", () => {
  it("has failed tasks first, the others in their order", () => {
    const rows = treeRows(
      columns([
        ["a", "Succeeded"],
        ["b", "Running"],
        ["c", "Failed"],
        ["d", "Blocked"],
      ]),
      wish,
    );
    expect(rows.map((row) => row.name)).toEqual(["c", "a", "b", "d"]);
  });

  it("collapses items, with how many ended and failed", () => {
    const data = columns([
      ["fan", "Running"],
      ["fan[0]", "Succeeded"],
      ["fan[1]", "Failed"],
      ["fan[2]", "Running"],
    ]);
    expect(treeRows(data, wish)).toMatchObject([{ id: "fan", open: false, inside: { total: 3, done: 2, failed: 1 } }]);
  });

  it("puts failed items first once it is opened", () => {
    const data = columns([
      ["fan", "Running"],
      ["fan[0]", "Succeeded"],
      ["fan[1]", "Running"],
      ["fan[2]", "Failed"],
    ]);
    const rows = treeRows(data, { ...wish, open: new Set(["fan"]) });
    expect(rows.map((row) => row.id)).toEqual(["fan", "fan[2]", "fan[0]", "fan[1]"]);
  });

  it("knows the items of a task, failed ones first, and what has to be open for one to be seen", () => {
    const data = columns(
      [
        ["load.a", "Succeeded"],
        ["load.fan", "Failed"],
        ["load.fan[0]", "Succeeded"],
        ["load.fan[1]", "Failed"],
        ["b", "Running"],
      ],
      { groups: ["load"], group: [0, 0, -1] },
    );
    expect(itemsOf(data, "load.fan")).toEqual([3, 2]);
    for (const key of ["load.a", "load.fan[1]", "b", "gone"]) expect(itemsOf(data, key)).toEqual([]);
    expect(around(data, "load.fan[1]")).toEqual({ task: "load.fan", group: "group:load" });
    expect(around(data, "load.a")).toEqual({ task: "", group: "group:load" });
    expect(around(data, "b")).toEqual({ task: "", group: "" });
    expect(around(data, "gone")).toEqual({ task: "", group: "" });
  });

  it("counts a fan-out with a failed item among the failed, though it still runs", () => {
    const rows = treeRows(
      columns([
        ["a", "Running"],
        ["fan", "Running"],
        ["fan[0]", "Failed"],
      ]),
      wish,
    );
    expect(rows[0]!.id).toBe("fan");
  });

  it("finds items by name or state, and shows them below their task", () => {
    const data = columns([
      ["fan", "Running"],
      ["fan[0]", "Succeeded"],
      ["fan[1]", "Failed"],
      ["other", "Succeeded"],
    ]);
    expect(treeRows(data, { ...wish, text: "failed" }).map((row) => row.id)).toEqual(["fan", "fan[1]"]);
    expect(treeRows(data, { ...wish, text: "oth" }).map((row) => row.id)).toEqual(["other"]);
  });

  it("has groups, which are open until they are closed", () => {
    const data = columns(
      [
        ["load.a", "Succeeded"],
        ["load.b", "Failed"],
        ["c", "Succeeded"],
      ],
      { groups: ["load"], group: [0, 0, -1] },
    );
    expect(treeRows(data, wish).map((row) => row.name)).toEqual(["load", "load.b", "load.a", "c"]);
    expect(treeRows(data, { ...wish, open: new Set(["group:load"]) }).map((row) => row.name)).toEqual(["load", "c"]);
  });

  it("is empty for a run without tasks", () => {
    expect(treeRows(columns([]), wish)).toEqual([]);
  });
});
