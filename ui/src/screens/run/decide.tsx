/** The two buttons of an approval and their dialog: on its own screen, on the page of its run, in the panel of its task. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { ApprovalRow, DecisionAnswer, Json, QuestionRow } from "../../api";
import { type Failed, path, post } from "../../api/client";
import { t } from "../../i18n";
import { AsCommand, Reason } from "../../parts/acting";
import { Ago, Foreign, Shape, Trouble, When } from "../../parts/basic";
import { Dialog } from "../../parts/dialog";
import { failed } from "./actions";

export function Decisions({ approval, done }: { approval: ApprovalRow; done: () => void }) {
  const open = useSignal<boolean | null>(null);
  const button = (approve: boolean) => (
    <button
      type="button"
      class={approve ? "button primary" : "button danger"}
      disabled={!approval.can}
      onClick={() => (open.value = approve)}
    >
      {t(approve ? "approvals.approve" : "approvals.reject")}
    </button>
  );
  return (
    <div class="row">
      {button(true)}
      {button(false)}
      {!approval.can && <span class="muted">{t("approvals.notAllowed")}</span>}
      {open.value !== null && (
        <Decide approval={approval} approve={open.value} close={() => (open.value = null)} done={done} />
      )}
    </div>
  );
}

/** Questions of a run that wait for an answer, with their buttons. */
export function Asked({ approvals, done }: { approvals: ApprovalRow[]; done: () => void }) {
  return (
    <ul class="asked" aria-label={t("need.approval")}>
      {approvals.map((approval) => (
        <li key={approval.name} class="row">
          <Shape state="Approval" size={16} />
          <span class="asked-text">
            <Foreign text={approval.message || approval.task} bound={1200} />
            <span class="sub muted">
              <Foreign text={approval.task} bound={160} /> · {t("approvals.since")} <Ago at={approval.since} />
              {approval.deadline !== null && (
                <>
                  {" · "}
                  {t("approvals.deadline")} <When at={approval.deadline} />
                </>
              )}
            </span>
          </span>
          <Decisions approval={approval} done={done} />
        </li>
      ))}
    </ul>
  );
}

function initial(question: QuestionRow): string {
  const value = question.default;
  return value === null || value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value);
}

/** What was typed as the answer to a question. */
export function answerTo(question: QuestionRow, text: string): Json {
  const chosen = question.enum.find((one) => (typeof one === "string" ? one : JSON.stringify(one)) === text);
  if (chosen !== undefined) return chosen;
  if (
    question.type === "string" ||
    question.type === "date" ||
    question.type === "datetime" ||
    question.type === "duration"
  )
    return text;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

function Decide({
  approval,
  approve,
  close,
  done,
}: {
  approval: ApprovalRow;
  approve: boolean;
  close: () => void;
  done: () => void;
}) {
  const reason = useSignal("");
  const texts = useSignal<Record<string, string>>(
    Object.fromEntries(approval.inputs.map((one) => [one.name, initial(one)])),
  );
  const preview = useSignal<DecisionAnswer | null>(null);
  const error = useSignal<Failed | null>(null);
  const busy = useSignal(false);
  const base = path("approvals", approval.namespace, approval.name);
  const body = () => ({
    approve,
    reason: reason.value,
    inputs: approve
      ? Object.fromEntries(
          approval.inputs
            .filter((one) => texts.value[one.name] !== "")
            .map((one) => [one.name, answerTo(one, texts.value[one.name] ?? "")]),
        )
      : {},
  });
  const asked = JSON.stringify(body());
  useEffect(() => {
    const due = setTimeout(async () => {
      try {
        preview.value = await post<DecisionAnswer>(`${base}?preview=true`, JSON.parse(asked));
        error.value = null;
      } catch (problem) {
        error.value = failed(problem);
        preview.value = null;
      }
    }, 250);
    return () => clearTimeout(due);
  }, [asked]);
  const decide = async () => {
    busy.value = true;
    try {
      await post<DecisionAnswer>(base, body());
      close();
      done();
    } catch (problem) {
      error.value = failed(problem);
      busy.value = false;
    }
  };
  const refused = error.value?.problem.status === 422;
  const missing = approve && approval.inputs.some((one) => one.required && !texts.value[one.name]);
  return (
    <Dialog
      title={t(approve ? "approvals.approve" : "approvals.reject")}
      close={close}
      act={{
        label: t(approve ? "approvals.approve" : "approvals.reject"),
        harsh: !approve,
        off: busy.value || missing || refused,
        run: decide,
      }}
    >
      <p class="card-title">
        <Foreign text={approval.message || approval.task} bound={1200} />
      </p>
      {approve &&
        approval.inputs.map((one) => (
          <label key={one.name} class="labelled">
            <span>
              <Foreign text={one.title || one.name} bound={120} />
              {one.required && ` · ${t("start.required")}`}
            </span>
            {one.enum.length > 0 ? (
              <select
                class="field"
                value={texts.value[one.name]}
                onChange={(event) => (texts.value = { ...texts.value, [one.name]: event.currentTarget.value })}
              >
                {one.default === null && <option value="">–</option>}
                {one.enum.map((value) => {
                  const text = typeof value === "string" ? value : JSON.stringify(value);
                  return (
                    <option key={text} value={text}>
                      {text.slice(0, 200)}
                    </option>
                  );
                })}
              </select>
            ) : (
              <input
                type="text"
                list={undefined}
                class="field"
                value={texts.value[one.name]}
                onInput={(event) => (texts.value = { ...texts.value, [one.name]: event.currentTarget.value })}
              />
            )}
            <span class="sub muted">
              <Foreign text={one.description} bound={400} />
            </span>
          </label>
        ))}
      <Reason label={t("approvals.reason")} text={reason} />
      {error.value && <Trouble error={error.value} />}
      {preview.value && <AsCommand command={preview.value.command} yaml={preview.value.yaml} />}
    </Dialog>
  );
}
