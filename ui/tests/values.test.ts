import { describe, expect, it } from "vitest";
import type { AssetsAnswer, DAGRow, ParamRow } from "../src/api";
import { sorted } from "../src/parts/dag_table";
import { order } from "../src/parts/settled";
import { screenOf } from "../src/router/screens";
import { changed, pairs } from "../src/screens/comparison";
import { diff, folded } from "../src/screens/dag/diff";
import { begun, meant, params, typed } from "../src/screens/dag/form";
import { fieldName } from "../src/screens/dag/start";
import { lineage } from "../src/screens/lineage";
import { since } from "../src/screens/runs";
import { columns } from "./columns";

const param = (more: Partial<ParamRow>): ParamRow => ({
  name: "p",
  type: "string",
  title: "",
  description: "",
  default: null,
  enum: [],
  min: null,
  max: null,
  pattern: "",
  secret: false,
  required: false,
  nullable: false,
  section: "",
  examples: [],
  items: "",
  ...more,
});

describe("a form", () => {
  it("reads each type", () => {
    expect(meant(param({ type: "integer" }), "42")).toBe(42);
    expect(meant(param({ type: "number" }), "1.5")).toBe(1.5);
    expect(meant(param({ type: "boolean" }), "false")).toBe(false);
    expect(meant(param({ type: "list" }), "a\nb\n")).toEqual(["a", "b"]);
    expect(meant(param({ type: "list" }), "[1, 2]")).toEqual([1, 2]);
    expect(meant(param({ type: "object" }), '{"a": 1}')).toEqual({ a: 1 });
    expect(meant(param({ enum: [1, 2] }), "2")).toBe(2);
  });

  it("leaves what can't be read to the server", () => {
    expect(meant(param({ type: "integer" }), "many")).toBe("many");
    expect(meant(param({ type: "object" }), "{")).toBe("{");
  });

  it("sends what differs from the defaults", () => {
    const rows = [param({ name: "a", default: 1, type: "integer" }), param({ name: "b", default: "x" })];
    expect(params(rows, { a: "1", b: "y" })).toEqual({ b: "y" });
    expect(params(rows, { a: typed(rows[0]!), b: typed(rows[1]!) })).toEqual({});
  });

  it("begins with the values of another run, but for what is secret or not a param any more", () => {
    const rows = [
      param({ name: "a", default: 1, type: "integer" }),
      param({ name: "b", default: "x" }),
      param({ name: "c", default: "y", secret: true }),
    ];
    expect(begun(rows, { a: 2, c: "hidden", gone: 3 })).toEqual({ a: "2", b: "x", c: "y" });
  });

  it("finds the field of a problem", () => {
    expect(fieldName("spec.params.horizon[0]")).toBe("horizon");
    expect(fieldName("params.a.b")).toBe("a");
    expect(fieldName("spec.name")).toBe("spec.name");
  });
});

describe("a difference", () => {
  it("has what was added and what was removed", () => {
    expect(diff("a\nb\nc", "a\nx\nc").map((line) => `${line.kind} ${line.text}`)).toEqual([
      "same a",
      "removed b",
      "added x",
      "same c",
    ]);
  });

  it("folds what is the same", () => {
    const text = Array.from({ length: 40 }, (_, at) => `line ${at}`).join("\n");
    const lines = folded(diff(text, text.replace("line 20", "other")), 2);
    expect(lines[0]).toEqual({ kind: "skipped", text: "18" });
    expect(lines.at(-1)).toEqual({ kind: "skipped", text: "17" });
    expect(lines).toHaveLength(8);
  });

  it("is bounded for texts that share nothing", () => {
    const many = (word: string) => Array.from({ length: 5000 }, (_, at) => `${word} ${at}`).join("\n");
    expect(diff(many("a"), many("b"))).toHaveLength(10_000);
  });
});

describe("two runs", () => {
  it("differ in states, and in durations that are much longer", () => {
    const before = columns(
      [
        ["a", "Succeeded"],
        ["b", "Succeeded"],
        ["c", "Succeeded"],
      ],
      {
        bars: [
          [0, 10],
          [0, 10],
          [0, 10],
        ],
      },
    );
    const after = columns(
      [
        ["a", "Succeeded"],
        ["b", "Failed"],
        ["d", "Succeeded"],
      ],
      {
        bars: [
          [0, 40],
          [0, 10],
          [0, 10],
        ],
      },
    );
    expect(pairs(before, after, 0).map((pair) => [pair.name, pair.differs])).toEqual([
      ["a", "time"],
      ["b", "state"],
      ["d", "missing"],
      ["c", "missing"],
    ]);
    expect(changed({ a: 1, b: [1] }, { b: [1], c: 2 }).map((one) => one.name)).toEqual(["a", "c"]);
  });
});

describe("lists", () => {
  it("don't move while they are held", () => {
    expect(order(["a", "b"], ["new", "b", "a"], true)).toEqual(["a", "b"]);
    expect(order(["a", "b"], ["b"], true)).toEqual(["b"]);
    expect(order(["a", "b"], ["new", "b", "a"], false)).toEqual(["new", "b", "a"]);
  });

  it("have first what needs attention", () => {
    const dag = (name: string, more: Partial<DAGRow>) =>
      ({ name, namespace: "n", invalid: "", latest: [], success: 1, next: null, ...more }) as unknown as DAGRow;
    const failed = [{ name: "r", phase: "Failed", created: 0, seconds: 1 }];
    const rows = [dag("fine", {}), dag("failing", { latest: failed, success: 0 }), dag("broken", { invalid: "x" })];
    expect(sorted(rows, "attention").map((row) => row.name)).toEqual(["broken", "failing", "fine"]);
    expect(sorted(rows, "name").map((row) => row.name)).toEqual(["broken", "failing", "fine"]);
  });

  it("ask from whole minutes on", () => {
    expect(since("day", 86_400_000 * 2 + 59_999)).toBe(86_400_000);
    expect(since("", 5)).toBeNull();
  });
});

describe("lineage", () => {
  it("leads from what makes an asset to what it starts", () => {
    const edge = (asset: string, dag: string, direction: string) => ({
      namespace: "n",
      asset,
      dag,
      direction,
      trigger: "",
    });
    const data = {
      assets: [],
      edges: [edge("x", "a", "produces"), edge("x", "b", "starts"), edge("x", "a", "produces")],
    } as AssetsAnswer;
    const { nodes, edges } = lineage(data);
    expect(nodes.map((node) => node.name)).toEqual(["x", "a", "b"]);
    expect(edges).toEqual([1, 0, 0, 2]);
  });
});

describe("addresses", () => {
  it("choose a screen", () => {
    expect(screenOf([])).toBe("");
    expect(screenOf(["runs"])).toBe("runs");
    expect(screenOf(["runs", "ns", "name"])).toBe("run");
    expect(screenOf(["dags", "ns", "name"])).toBe("dag");
    expect(screenOf(["compare", "ns", "a", "b"])).toBe("compare");
    expect(screenOf(["run"])).toBeNull();
    expect(screenOf(["runs", "ns"])).toBeNull();
    expect(screenOf(["constructor"])).toBeNull();
  });
});
