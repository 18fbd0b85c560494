import type { TriggersAnswer } from "../api";
import { withQuery } from "../api/client";
import { useResource } from "../api/resource";
import { t } from "../i18n";
import { Empty, Loaded, Section } from "../parts/basic";
import { FilterText } from "../parts/filters";
import { fits } from "../parts/list";
import { TriggersTable } from "../parts/triggers_table";
import { namespace } from "../router/router";

export function Screen() {
  const triggers = useResource<TriggersAnswer>(withQuery("triggers", { namespace: namespace.value }), ["triggers"]);
  return (
    <div class="stack">
      <div class="page-head">
        <h1>{t("nav.triggers")}</h1>
        <span class="spread" />
        <FilterText />
      </div>
      <Loaded of={triggers}>
        {(data) => {
          const rows = data.triggers
            .filter((one) => fits(one.name, one.dag, one.source, one.description))
            .sort(
              (a, b) =>
                (a.next ?? Number.POSITIVE_INFINITY) - (b.next ?? Number.POSITIVE_INFINITY) ||
                a.name.localeCompare(b.name),
            );
          return data.triggers.length === 0 ? (
            <Empty title={t("triggers.none")} icon="triggers">
              <p>{t("dag.noTriggers.todo")}</p>
            </Empty>
          ) : (
            <Section title={t("nav.triggers")} count={rows.length}>
              <TriggersTable triggers={rows} />
            </Section>
          );
        }}
      </Loaded>
    </div>
  );
}
