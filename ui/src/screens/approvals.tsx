import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { ApprovalRow, ApprovalsAnswer, DecisionAnswer, Json, QuestionRow } from "../api";
import { type Failed, path, post, withQuery } from "../api/client";
import { useResource } from "../api/resource";
import { t } from "../i18n";
import { Ago, Code, Empty, Foreign, Loaded, Shape, Trouble, When } from "../parts/basic";
import { Dialog } from "../parts/dialog";
import { FilterText } from "../parts/filters";
import { fits } from "../parts/list";
import { namespace, to } from "../router/router";
import { failed } from "./run/actions";

export function Screen() {
  const approvals = useResource<ApprovalsAnswer>(withQuery("approvals", { namespace: namespace.value }), ["approvals"]);
  const open = useSignal<{ approval: ApprovalRow; approve: boolean } | null>(null);
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
                  <div class="row">
                    <button
                      type="button"
                      class="button primary"
                      disabled={!approval.can}
                      onClick={() => (open.value = { approval, approve: true })}
                    >
                      {t("approvals.approve")}
                    </button>
                    <button
                      type="button"
                      class="button danger"
                      disabled={!approval.can}
                      onClick={() => (open.value = { approval, approve: false })}
                    >
                      {t("approvals.reject")}
                    </button>
                    {!approval.can && <span class="muted">{t("approvals.notAllowed")}</span>}
                  </div>
                </li>
              ))}
            </ul>
          );
        }}
      </Loaded>
      {open.value && <Decide {...open.value} close={() => (open.value = null)} done={approvals.again} />}
    </div>
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
  const missing = approve && approval.inputs.some((one) => one.required && !texts.value[one.name]);
  return (
    <Dialog
      title={t(approve ? "approvals.approve" : "approvals.reject")}
      close={close}
      footer={
        <>
          <button type="button" class="button" onClick={close}>
            {t("common.cancel")}
          </button>
          <button
            type="button"
            class={approve ? "button primary" : "button danger"}
            disabled={busy.value || missing}
            onClick={decide}
          >
            {t(approve ? "approvals.approve" : "approvals.reject")}
          </button>
        </>
      }
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
      <label class="labelled">
        <span>{t("approvals.reason")}</span>
        <input
          type="text"
          list={undefined}
          class="field"
          maxLength={500}
          onInput={(event) => (reason.value = event.currentTarget.value)}
        />
      </label>
      {error.value && <Trouble error={error.value} />}
      {preview.value && (
        <>
          <Code text={preview.value.command} label={t("action.command")} />
          {preview.value.yaml && <Code text={preview.value.yaml} label="YAML" />}
        </>
      )}
    </Dialog>
  );
}
