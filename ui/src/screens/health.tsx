import type { HealthAnswer } from "../api";
import { withQuery } from "../api/client";
import { useResource } from "../api/resource";
import { t, word } from "../i18n";
import { Empty, Loaded, Section, Shape, Words } from "../parts/basic";
import { namespace } from "../router/router";

const LOOKS: Record<string, string> = { ok: "Succeeded", warning: "Lost", problem: "Failed", unknown: "Blocked" };

export function Screen() {
  const health = useResource<HealthAnswer>(withQuery("health", { namespace: namespace.value }));
  return (
    <div class="stack">
      <div class="page-head">
        <h1>{t("nav.health")}</h1>
        <span class="spread" />
        <button type="button" class="button" onClick={health.again}>
          {t("health.again")}
        </button>
      </div>
      <Loaded of={health}>
        {(data) =>
          data.findings.length === 0 ? (
            <Empty title={t("health.none")} icon="health" />
          ) : (
            <Section title={t("health.findings")} count={data.findings.length}>
              <ul class="needs">
                {data.findings.map((finding) => (
                  <li key={`${finding.check} ${finding.text}`} data-row>
                    <span class={`finding tone-${finding.level === "warning" ? "wait" : ""}`}>
                      <Shape state={LOOKS[finding.level] ?? "Blocked"} size={16} />
                    </span>
                    <div class="needs-text">
                      <p>
                        <Words text={finding.text} bound={1200} />
                      </p>
                      {finding.todo && (
                        <span class="sub muted">
                          <Words text={finding.todo} bound={1200} />
                        </span>
                      )}
                    </div>
                    <span class="muted nowrap">{word("level", finding.level)}</span>
                  </li>
                ))}
              </ul>
            </Section>
          )
        }
      </Loaded>
    </div>
  );
}
