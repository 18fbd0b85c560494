import type { ApprovalsAnswer } from "../api";
import { withQuery } from "../api/client";
import { useResource } from "../api/resource";
import { t } from "../i18n";
import { Ago, Empty, Foreign, Loaded, Shape, When } from "../parts/basic";
import { FilterText } from "../parts/filters";
import { fits } from "../parts/list";
import { namespace, to } from "../router/router";
import { Decisions } from "./run/decide";

export function Screen() {
  const approvals = useResource<ApprovalsAnswer>(withQuery("approvals", { namespace: namespace.value }), ["approvals"]);
  return (
    <div class="stack">
      <div class="page-head">
        <h1>{t("nav.approvals")}</h1>
        <span class="spread" />
        <FilterText />
      </div>
      <Loaded of={approvals}>
        {(data) => {
          const rows = data.approvals.filter((one) => fits(one.name, one.run, one.dag, one.message));
          return rows.length === 0 ? (
            <Empty title={t("approvals.none")} icon="approvals">
              <p>{t("approvals.none.todo")}</p>
            </Empty>
          ) : (
            <ul class="cards">
              {rows.map((approval) => (
                <li key={`${approval.namespace}/${approval.name}`} class="section card" data-row>
                  <div class="card-head">
                    <Shape state="Approval" size={18} />
                    <p class="card-title">
                      <Foreign text={approval.message || approval.task} bound={1200} />
                    </p>
                  </div>
                  <p class="muted">
                    <a href={to(["runs", approval.namespace, approval.run], { task: approval.task, tab: "why" })}>
                      <Foreign text={`${approval.run} / ${approval.task}`} bound={240} />
                    </a>
                    {" · "}
                    <Foreign text={approval.namespace} /> · {t("approvals.since")} <Ago at={approval.since} />
                    {approval.deadline !== null && (
                      <>
                        {" · "}
                        <span class="tone-wait toned">
                          {t("approvals.deadline")} <When at={approval.deadline} />
                        </span>
                      </>
                    )}
                  </p>
                  <Decisions approval={approval} done={approvals.again} />
                </li>
              ))}
            </ul>
          );
        }}
      </Loaded>
    </div>
  );
}
