import type { DAGsAnswer } from "../api";
import { withQuery } from "../api/client";
import { useResource } from "../api/resource";
import { t } from "../i18n";
import { Code, Empty, Loaded, Section } from "../parts/basic";
import { DagTable } from "../parts/dag_table";
import { FilterText } from "../parts/filters";
import { namespace, place } from "../router/router";

export function Screen() {
  const dags = useResource<DAGsAnswer>(withQuery("dags", { namespace: namespace.value }), ["overview"]);
  const wanted = (place.value.query.get("q") ?? "").toLowerCase();
  return (
    <div class="stack">
      <div class="page-head">
        <h1>{t("nav.dags")}</h1>
        <span class="spread" />
        <div class="filters">
          <FilterText />
        </div>
      </div>
      <Loaded of={dags}>
        {({ dags: all }) => {
          const found = all.filter((dag) =>
            `${dag.name} ${dag.owner} ${dag.description}`.toLowerCase().includes(wanted),
          );
          if (all.length === 0)
            return (
              <Empty title={t("overview.none")} icon="dags">
                <p>{t("overview.none.todo")}</p>
                <Code label="$" text={"tradewind new hello\ntradewind apply -f hello.yaml"} />
              </Empty>
            );
          return (
            <Section title={t("nav.dags")} count={found.length}>
              <DagTable dags={found} />
            </Section>
          );
        }}
      </Loaded>
    </div>
  );
}
