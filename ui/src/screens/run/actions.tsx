/** What can be done with a run; each dialog shows what will happen, as a list, as a command and as YAML. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { ActionAnswer, ActionBody, RunCan, RunDetail } from "../../api";
import { Failed, path, post } from "../../api/client";
import { may } from "../../api/session";
import { t } from "../../i18n";
import { AsCommand, Reason } from "../../parts/acting";
import { Foreign, Loading, Trouble, Words } from "../../parts/basic";
import { Dialog } from "../../parts/dialog";
import { useKey } from "../../router/keys";
import { go, to } from "../../router/router";

type Action = ActionBody["action"];
const ORDER: Action[] = ["retry", "resume", "suspend", "cancel", "terminate", "delete"];
const HARSH = new Set<Action>(["cancel", "terminate", "delete"]);

export function RunActions({ run, can }: { run: RunDetail; can: RunCan }) {
  const open = useSignal<Action | null>(null);
  const possible = ORDER.filter((action) => can[action]);
  useKey(".", () => document.querySelector<HTMLElement>(".run-actions button")?.focus());
  return (
    <div class="run-actions row">
      <a class="button" href={`/api/v1/${path("runs", run.namespace, run.name)}/export.html`} download>
        {t("action.export")}
      </a>
      <a class="button" href={to(["compare", run.namespace, run.name, "previous"])}>
        {t("action.compare")}
      </a>
      {run.how !== "parent" && may(run.namespace, "dagruns", "create") && (
        <a class="button" href={to(["dags", run.namespace, run.dag], { start: "1", like: run.name })}>
          {t("action.again")}
        </a>
      )}
      {possible.map((action) => (
        <button
          key={action}
          type="button"
          class={`button${action === "retry" ? " primary" : ""}${HARSH.has(action) ? " danger" : ""}`}
          onClick={() => (open.value = action)}
        >
          {t(`action.${action}`)}
        </button>
      ))}
      {open.value && <ActionDialog run={run} action={open.value} close={() => (open.value = null)} />}
    </div>
  );
}

function ActionDialog({ run, action, close }: { run: RunDetail; action: Action; close: () => void }) {
  const preview = useSignal<ActionAnswer | null>(null);
  const error = useSignal<Failed | null>(null);
  const reason = useSignal("");
  const busy = useSignal(false);
  const base = `${path("runs", run.namespace, run.name)}/actions`;
  const look = async () => {
    try {
      preview.value = await post<ActionAnswer>(`${base}?preview=true`, { action, reason: reason.value });
      error.value = null;
    } catch (problem) {
      error.value = failed(problem);
    }
  };
  useEffect(() => {
    const due = setTimeout(look, preview.value ? 300 : 0);
    return () => clearTimeout(due);
  }, [reason.value]);
  const act = async () => {
    busy.value = true;
    try {
      await post<ActionAnswer>(base, { action, reason: reason.value, version: preview.value?.version });
      close();
      if (action === "delete") go(to(["runs"]));
    } catch (problem) {
      error.value = failed(problem);
      busy.value = false;
    }
  };
  const shown = preview.value;
  return (
    <Dialog
      title={t("action.title", { action: t(`action.${action}`), name: run.name.slice(0, 80) })}
      close={close}
      wide
      act={{ label: t(`action.${action}`), harsh: HARSH.has(action), off: !shown || busy.value, run: act }}
    >
      <p>{t(`action.${action}.words`)}</p>
      {error.value && <Trouble error={error.value} again={look} />}
      {!shown && !error.value && <Loading rows={3} />}
      {shown && (
        <>
          {shown.words && (
            <p>
              <Words text={shown.words} bound={800} />
            </p>
          )}
          {shown.affected.length > 0 && (
            <div>
              <h3>{t("action.affected", { count: shown.affected.length })}</h3>
              <ul class="affected" tabIndex={0}>
                {shown.affected.map((key) => (
                  <li key={key}>
                    <Foreign text={key} bound={200} />
                  </li>
                ))}
              </ul>
            </div>
          )}
          {shown.lost.length > 0 && (
            <div>
              <h3>{t("action.lost")}</h3>
              <ul class="affected tone-fail toned" tabIndex={0}>
                {shown.lost.map((key) => (
                  <li key={key}>
                    <Foreign text={key} bound={300} />
                  </li>
                ))}
              </ul>
            </div>
          )}
          {action !== "delete" && <Reason label={t("action.reason")} text={reason} />}
          <AsCommand command={shown.command} yaml={shown.yaml} />
        </>
      )}
    </Dialog>
  );
}

export function failed(problem: unknown): Failed {
  return problem instanceof Failed ? problem : new Failed({ title: String(problem), detail: "", status: -1 });
}
