/** The graph of assets and DAGs: what makes an asset points to it, it points to what it starts. Pure. */

import type { AssetsAnswer } from "../api";

export interface LineageNode {
  namespace: string;
  name: string;
  dag: boolean;
}

export function lineage(data: AssetsAnswer): { nodes: LineageNode[]; edges: number[] } {
  const nodes: LineageNode[] = [];
  const known = new Map<string, number>();
  const node = (namespace: string, name: string, dag: boolean): number => {
    const key = `${dag} ${namespace} ${name}`;
    let at = known.get(key);
    if (at === undefined) {
      at = nodes.length;
      known.set(key, at);
      nodes.push({ namespace, name, dag });
    }
    return at;
  };
  const edges: number[] = [];
  const drawn = new Set<string>();
  for (const edge of data.edges) {
    const asset = node(edge.namespace, edge.asset, false);
    const dag = node(edge.namespace, edge.dag, true);
    const pair = edge.direction === "produces" ? [dag, asset] : [asset, dag];
    if (drawn.has(pair.join())) continue;
    drawn.add(pair.join());
    edges.push(...pair);
  }
  return { nodes, edges };
}
