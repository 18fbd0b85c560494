/** For each task that waits the chain to the cause. */

import type { ChainLink, RunDetail, WaitsAnswer } from "../../api";
import { path } from "../../api/client";
import { useResource } from "../../api/resource";
import { t, word } from "../../i18n";
import { Ago, Foreign, Loaded, Section, Words } from "../../parts/basic";
import { go, queried, to } from "../../router/router";

export function WaitChains({ run }: { run: RunDetail }) {
  const waits = useResource<WaitsAnswer>(`${path("runs", run.namespace, run.name)}/waits`, [
    `run:${run.namespace}/${run.name}`,
  ]);
  return (
    <Loaded of={waits} rows={2}>
      {(data) =>
        data.tasks.length === 0 ? null : (
          <Section title={t("waits.title")} count={data.total}>
            <ul class="chains">
              {data.tasks.map((task) => (
                <li key={task.key}>
                  <div class="chain-head">
                    <span class={`swatch hatched cause-${task.cause.replace(" ", "-")}`} aria-hidden="true" />
                    <button
                      type="button"
                      class="link"
                      onClick={() => go(queried({ task: task.key, tab: "why" }), true)}
                    >
                      <Foreign text={task.key} bound={120} />
                    </button>
                    <span class="muted">
                      {word("cause", task.cause)}
                      {task.since !== null && (
                        <>
                          {" · "}
                          <Ago at={task.since} />
                        </>
                      )}
                    </span>
                  </div>
                  <ol class="chain">
                    {task.chain.map((step, at) => (
                      <li key={at}>
                        {step.link ? (
                          <a href={linkAddress(step.link, run)}>
                            <Words text={step.text} bound={400} />
                          </a>
                        ) : (
                          <Words text={step.text} bound={400} />
                        )}
                      </li>
                    ))}
                  </ol>
                </li>
              ))}
            </ul>
          </Section>
        )
      }
    </Loaded>
  );
}

const LISTS: Record<string, string> = { pool: "pools", approval: "approvals", trigger: "triggers", asset: "assets" };

/** Where a link of the server leads; tasks are those of this run. */
export function linkAddress(link: ChainLink, run: { namespace: string; name: string }): string {
  if (link.kind === "task") return to(["runs", run.namespace, run.name], { task: link.name, tab: "why" });
  if (link.kind === "run" || link.kind === "dag") return to([`${link.kind}s`, link.namespace, link.name]);
  return to([LISTS[link.kind] ?? ""], { q: link.name });
}
