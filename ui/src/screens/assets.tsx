import { useSignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import type { AssetsAnswer } from "../api";
import { withQuery } from "../api/client";
import { useResource } from "../api/resource";
import { Graph } from "../canvas/graph";
import { t } from "../i18n";
import { Ago, Empty, Foreign, Loaded, Section } from "../parts/basic";
import { FilterText } from "../parts/filters";
import { fits } from "../parts/list";
import { Table } from "../parts/table";
import { namespace, to } from "../router/router";
import { lineage } from "./lineage";

export function Screen() {
  const assets = useResource<AssetsAnswer>(withQuery("assets", { namespace: namespace.value }), ["overview"]);
  return (
    <div class="stack">
      <div class="page-head">
        <h1>{t("nav.assets")}</h1>
        <span class="spread" />
        <FilterText />
      </div>
      <Loaded of={assets}>
        {(data) =>
          data.assets.length === 0 && data.edges.length === 0 ? (
            <Empty title={t("assets.none")} icon="assets">
              <p>{t("assets.none.todo")}</p>
            </Empty>
          ) : (
            <>
              {data.edges.length > 0 && <Lineage data={data} />}
              {data.assets.length > 0 && <List data={data} />}
            </>
          )
        }
      </Loaded>
    </div>
  );
}

function Lineage({ data }: { data: AssetsAnswer }) {
  const { nodes, edges } = useMemo(() => lineage(data), [data]);
  const chosen = useSignal<number | null>(null);
  const node = chosen.value === null ? null : nodes[chosen.value];
  return (
    <Section title={t("assets.lineage")} count={nodes.length}>
      <Graph
        nodes={nodes.map((one) => ({
          name: one.name,
          text: t(one.dag ? "assets.isDag" : "assets.isAsset"),
          state: "",
          marked: one.dag,
        }))}
        edges={edges}
        chosen={chosen.value}
        choose={(at) => (chosen.value = at === chosen.value ? null : at)}
        label={t("assets.lineage")}
      />
      {node && (
        <p class="quiet-line">
          <a href={node.dag ? to(["dags", node.namespace, node.name]) : to(["assets"], { q: node.name })}>
            {t("dag.opens")} <Foreign text={node.name} bound={120} />
          </a>
        </p>
      )}
    </Section>
  );
}

function List({ data }: { data: AssetsAnswer }) {
  const beside = (name: string, space: string, direction: string) => [
    ...new Set(
      data.edges
        .filter((edge) => edge.asset === name && edge.namespace === space && edge.direction === direction)
        .map((edge) => edge.dag),
    ),
  ];
  const rows = data.assets.filter((asset) =>
    fits(
      asset.name,
      asset.dag,
      ...beside(asset.name, asset.namespace, "produces"),
      ...beside(asset.name, asset.namespace, "starts"),
    ),
  );
  return (
    <Section title={t("nav.assets")} count={rows.length}>
      <Table
        label={t("nav.assets")}
        head={
          <>
            <th>{t("assets.name")}</th>
            <th>{t("assets.updated")}</th>
            <th>{t("assets.by")}</th>
            <th>{t("assets.madeBy")}</th>
            <th>{t("assets.starts")}</th>
          </>
        }
      >
        {rows.map((asset) => (
          <tr key={`${asset.namespace}/${asset.name}/${asset.partition}`} data-row>
            <td class="name">
              <Foreign text={asset.name} bound={160} />
              <span class="sub">
                <Foreign text={[asset.namespace, asset.partition].filter(Boolean).join(" · ")} bound={160} />
              </span>
            </td>
            <td>
              <Ago at={asset.at} />
            </td>
            <td>
              {asset.run ? (
                <a href={to(["runs", asset.namespace, asset.run], { task: asset.task })}>
                  <Foreign text={asset.run} bound={120} />
                </a>
              ) : (
                <span class="muted">–</span>
              )}
            </td>
            {(["produces", "starts"] as const).map((direction) => (
              <td key={direction}>
                {beside(asset.name, asset.namespace, direction).map((dag, at) => (
                  <span key={dag}>
                    {at > 0 && ", "}
                    <a href={to(["dags", asset.namespace, dag])}>
                      <Foreign text={dag} bound={80} />
                    </a>
                  </span>
                ))}
              </td>
            ))}
          </tr>
        ))}
      </Table>
    </Section>
  );
}
