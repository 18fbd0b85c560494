import type { PoolRow, PoolsAnswer } from "../api";
import { withQuery } from "../api/client";
import { useResource } from "../api/resource";
import { t } from "../i18n";
import { Ago, Empty, Foreign, Loaded, Words } from "../parts/basic";
import { FilterText } from "../parts/filters";
import { fits } from "../parts/list";
import { namespace, to } from "../router/router";

export function Screen() {
  const pools = useResource<PoolsAnswer>(withQuery("pools", { namespace: namespace.value }), ["pools"]);
  return (
    <div class="stack">
      <div class="page-head">
        <h1>{t("nav.pools")}</h1>
        <span class="spread" />
        <FilterText />
      </div>
      <Loaded of={pools}>
        {(data) =>
          data.pools.length === 0 ? (
            <Empty title={t("pools.none")} icon="pools">
              <p>{t("pools.none.todo")}</p>
            </Empty>
          ) : (
            <>
              {data.partial && (
                <p class="notice">
                  <Foreign text={data.partial} />
                </p>
              )}
              {data.pools
                .filter((pool) => fits(pool.name, pool.description))
                .map((pool) => (
                  <Pool key={`${pool.kind}/${pool.namespace}/${pool.name}`} pool={pool} />
                ))}
            </>
          )
        }
      </Loaded>
    </div>
  );
}

const CELLS = 60;
const MOST = 50;

function Pool({ pool }: { pool: PoolRow }) {
  const share = pool.slots === 0 ? 0 : pool.used / pool.slots;
  return (
    <section class="section" aria-label={pool.name.slice(0, 120)}>
      <header class="section-head">
        <h2>
          <Foreign text={pool.name} bound={120} />{" "}
          <span class="muted light">
            {pool.kind === "ClusterPool" ? t("pools.cluster") : <Foreign text={pool.namespace} />}
          </span>
        </h2>
        <span class="num">{t("pools.used", { used: pool.used, slots: pool.slots })}</span>
      </header>
      <div class="section-body stack">
        {pool.description && (
          <p class="muted">
            <Foreign text={pool.description} bound={600} />
          </p>
        )}
        {pool.slots <= CELLS ? (
          <div class="slots" aria-hidden="true">
            {Array.from({ length: pool.slots }, (_, at) => (
              <i key={at} class={at < pool.used ? "used" : ""} />
            ))}
          </div>
        ) : (
          <div class="slots whole" aria-hidden="true">
            <i class="used" style={{ width: `${Math.min(100, share * 100)}%` }} />
          </div>
        )}
        <div class="columns">
          <div>
            <h3>
              {t("pools.holders")} <span class="count">{pool.holders.length}</span>
            </h3>
            {pool.holders.length === 0 ? (
              <p class="muted">{t("pools.free")}</p>
            ) : (
              <ol class="lines">
                {pool.holders.slice(0, MOST).map((one) => (
                  <li key={`${one.run}/${one.task}`}>
                    <a href={to(["runs", one.namespace, one.run], { task: one.task })}>
                      <Foreign text={`${one.run} / ${one.task}`} bound={200} />
                    </a>
                    {one.slots > 1 && <span class="num muted"> ×{one.slots}</span>}
                    <span class="muted end">
                      <Ago at={one.since} />
                    </span>
                  </li>
                ))}
              </ol>
            )}
          </div>
          <div>
            <h3>
              {t("pools.queue")} <span class="count">{pool.waiting}</span>
            </h3>
            {pool.queue.length === 0 ? (
              <p class="muted">{t("pools.nobody")}</p>
            ) : (
              <ol class="lines numbered">
                {pool.queue.slice(0, MOST).map((one, at) => (
                  <li key={`${one.run}/${one.task}`}>
                    <span class="num muted">{at + 1}.</span>
                    <span>
                      <a href={to(["runs", one.namespace, one.run], { task: one.task, tab: "why" })}>
                        <Foreign text={`${one.run} / ${one.task}`} bound={200} />
                      </a>
                      <span class="sub muted">
                        <Words text={one.why} bound={300} />
                      </span>
                    </span>
                    <span class="muted end">
                      <Ago at={one.since} />
                    </span>
                  </li>
                ))}
              </ol>
            )}
          </div>
        </div>
      </div>
    </section>
  );
}
