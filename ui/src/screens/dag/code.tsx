/** The DAG's YAML, its revisions, and what changed between two. */

import type { DAGAnswer, RevisionAnswer } from "../../api";
import { path } from "../../api/client";
import { useResource } from "../../api/resource";
import { t } from "../../i18n";
import { Code, Foreign, Loaded, When } from "../../parts/basic";
import { go, place, queried } from "../../router/router";
import { visible } from "../../text/visible";
import { diff, folded } from "./diff";

export function CodeTab({ answer }: { answer: DAGAnswer }) {
  const { dag, revisions } = answer;
  const wanted = Number(place.value.query.get("revision")) || null;
  const against = Number(place.value.query.get("against")) || null;
  const base = `${path("dags", dag.namespace, dag.name)}/revisions/`;
  const one = useResource<RevisionAnswer>(wanted ? `${base}${wanted}` : null);
  const other = useResource<RevisionAnswer>(wanted && against ? `${base}${against}` : null);
  return (
    <div class="code-tab">
      <aside aria-label={t("dag.revisions")}>
        <h3>{t("dag.revisions")}</h3>
        {revisions.length === 0 ? (
          <p class="muted">{t("dag.revisions.none")}</p>
        ) : (
          <ol class="revisions">
            <li>
              <button
                type="button"
                class="revision"
                aria-pressed={wanted === null}
                onClick={() => go(queried({ revision: null, against: null }), true)}
              >
                <b>{t("dag.asIs")}</b>
              </button>
            </li>
            {revisions.map((revision, at) => (
              <li key={revision.number}>
                <button
                  type="button"
                  class="revision"
                  aria-pressed={wanted === revision.number}
                  onClick={() =>
                    go(
                      queried({
                        revision: String(revision.number),
                        against: revisions[at + 1] ? String(revisions[at + 1]!.number) : null,
                      }),
                      true,
                    )
                  }
                >
                  <b>{t("run.revisionNumber", { number: revision.number })}</b>
                  {revision.current && <span class="chip">{t("dag.current")}</span>}
                  <span class="sub muted">
                    <When at={revision.at} /> <Foreign text={revision.cause} bound={120} />
                  </span>
                </button>
              </li>
            ))}
          </ol>
        )}
      </aside>
      <div>
        {wanted === null ? (
          <Code text={dag.yaml} label={`DAG ${dag.namespace}/${dag.name}`.slice(0, 160)} />
        ) : (
          <Loaded of={one}>
            {(revision) =>
              against ? (
                <Loaded of={other}>{(before) => <Difference before={before} after={revision} />}</Loaded>
              ) : (
                <Code text={revision.yaml} label={t("run.revisionNumber", { number: revision.number })} />
              )
            }
          </Loaded>
        )}
      </div>
    </div>
  );
}

const SIGNS = { same: " ", added: "+", removed: "−", skipped: "" };

function Difference({ before, after }: { before: RevisionAnswer; after: RevisionAnswer }) {
  const lines = folded(diff(before.yaml, after.yaml));
  const changed = lines.some((line) => line.kind === "added" || line.kind === "removed");
  return (
    <section class="code" aria-label={t("dag.difference", { from: before.number, to: after.number })}>
      <div class="code-head">
        <span class="code-label">{t("dag.difference", { from: before.number, to: after.number })}</span>
        <button type="button" class="button small quiet" onClick={() => go(queried({ against: null }), true)}>
          {t("dag.whole")}
        </button>
      </div>
      <pre tabIndex={0} class="diff">
        {changed ? (
          lines.map((line, at) => (
            <span key={at} class={`diff-${line.kind}`}>
              {line.kind === "skipped"
                ? t("dag.sameLines", { count: Number(line.text) })
                : `${SIGNS[line.kind]} ${visible(line.text)}`}
              {"\n"}
            </span>
          ))
        ) : (
          <span class="muted">{t("dag.noDifference")}</span>
        )}
      </pre>
    </section>
  );
}
