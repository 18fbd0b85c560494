import { describe, expect, it } from "vitest";
import { around, layered } from "../src/canvas/layout";

describe("the layout", () => {
  it("puts each node to the right of what it depends on", () => {
    const edges = [0, 1, 0, 2, 1, 3, 2, 3, 0, 3];
    const { layer } = layered(4, edges);
    for (let at = 0; at < edges.length; at += 2) expect(layer[edges[at]!]).toBeLessThan(layer[edges[at + 1]!]!);
  });

  it("keeps nodes of a column one place apart", () => {
    const { layer, at } = layered(6, [0, 5, 1, 5, 2, 5, 3, 5, 4, 5]);
    const places = at.filter((_, node) => layer[node] === 0).sort((a, b) => a - b);
    for (let place = 1; place < places.length; place++)
      expect(places[place]! - places[place - 1]!).toBeGreaterThanOrEqual(0.999);
  });

  it("leads a long edge around, by one bend a column", () => {
    const { bends } = layered(4, [0, 1, 1, 2, 2, 3, 0, 3]);
    expect(bends[3]).toHaveLength(2);
    expect(bends[0]).toHaveLength(0);
  });

  it("has no negative places", () => {
    const { at } = layered(5, [0, 1, 0, 2, 0, 3, 0, 4]);
    expect(Math.min(...at)).toBeGreaterThanOrEqual(0);
  });

  it("survives circles, loops and edges to nothing", () => {
    const { layer } = layered(3, [0, 1, 1, 2, 2, 0, 1, 1, 0, 9]);
    expect(layer).toHaveLength(3);
    expect(layered(0, []).rows).toBe(0);
  });

  it("lays out ten thousand nodes", () => {
    const edges: number[] = [];
    for (let node = 1; node < 10_000; node++) edges.push(Math.floor(node / 2), node);
    expect(layered(10_000, edges).at).toHaveLength(10_000);
  });
});

describe("the neighbourhood", () => {
  it("goes in both directions, as far as it should", () => {
    expect(around(6, [0, 1, 1, 2, 2, 3, 3, 4, 4, 5], 2, 2, 99)).toEqual([0, 1, 2, 3, 4]);
  });

  it("is bounded", () => {
    const edges = Array.from({ length: 100 }, (_, at) => [0, at + 1]).flat();
    expect(around(101, edges, 0, 2, 30)).toHaveLength(30);
  });
});
