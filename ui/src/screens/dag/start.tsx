/** The form that starts a run, made from the params. */

import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { DAGDetail, FieldProblem, FormAnswer, Json, ParamRow, RunAnswer, StartAnswer } from "../../api";
import { type Failed, path, post } from "../../api/client";
import { useResource } from "../../api/resource";
import { t } from "../../i18n";
import { AsCommand, Reason } from "../../parts/acting";
import { Foreign, Loaded, Trouble } from "../../parts/basic";
import { Dialog } from "../../parts/dialog";
import { go, to } from "../../router/router";
import { failed } from "../run/actions";
import { begun, isList, params, sections, typed } from "./form";

/** `like` is a run whose params the form begins with; without it, it begins with the defaults. */
export function Start({ dag, like, close }: { dag: DAGDetail; like: string | null; close: () => void }) {
  const form = useResource<FormAnswer>(`${path("dags", dag.namespace, dag.name)}/form`);
  const run = useResource<RunAnswer>(like === null ? null : path("runs", dag.namespace, like));
  return (
    <Loaded of={form}>
      {(answer) =>
        like === null ? (
          <StartForm dag={dag} form={answer} given={{}} close={close} />
        ) : (
          <Loaded of={run}>
            {(found) => <StartForm dag={dag} form={answer} given={found.run.params} close={close} />}
          </Loaded>
        )
      }
    </Loaded>
  );
}

function StartForm({
  dag,
  form,
  given,
  close,
}: {
  dag: DAGDetail;
  form: FormAnswer;
  given: Record<string, Json>;
  close: () => void;
}) {
  const texts = useSignal<Record<string, string>>(begun(form.params, given));
  const reason = useSignal("");
  const date = useSignal("");
  const preview = useSignal<StartAnswer | null>(null);
  const error = useSignal<Failed | null>(null);
  const busy = useSignal(false);
  const key = useMemo(
    () => Array.from(crypto.getRandomValues(new Uint8Array(5)), (byte) => (byte % 36).toString(36)).join(""),
    [],
  );
  const base = `${path("dags", dag.namespace, dag.name)}/runs`;
  const body = () => ({
    params: params(form.params, texts.value),
    reason: reason.value,
    logicalDate: date.value ? Date.parse(`${date.value}Z`) : null,
  });
  const asked = JSON.stringify(body());
  useEffect(() => {
    const due = setTimeout(async () => {
      try {
        preview.value = await post<StartAnswer>(`${base}?preview=true`, JSON.parse(asked));
        error.value = null;
      } catch (problem) {
        error.value = failed(problem);
      }
    }, 300);
    return () => clearTimeout(due);
  }, [asked]);
  const start = async () => {
    busy.value = true;
    try {
      const made = await post<StartAnswer>(base, body(), { "Idempotency-Key": key });
      close();
      go(to(["runs", dag.namespace, made.run]));
    } catch (problem) {
      error.value = failed(problem);
      busy.value = false;
    }
  };
  const problems = preview.value?.problems ?? [];
  const of = (name: string) => problems.filter((problem) => fieldName(problem.field) === name);
  const other = problems.filter((problem) => !form.params.some((param) => param.name === fieldName(problem.field)));
  return (
    <Dialog
      title={t("start.title", { name: dag.name.slice(0, 80) })}
      close={close}
      wide
      act={{ label: t("start.do"), off: busy.value || problems.length > 0, run: start }}
    >
      {(form.author || form.account) && (
        <p class="muted">
          {form.author && t("start.author", { author: form.author.slice(0, 120) })}{" "}
          {form.account && t("start.account", { account: form.account.slice(0, 120) })}
        </p>
      )}
      {form.invalid && (
        <p class="notice">
          <Foreign text={form.invalid} bound={600} />
        </p>
      )}
      {form.params.length === 0 && <p class="muted">{t("start.noParams")}</p>}
      {sections(form.params).map(([section, rows]) => (
        <fieldset key={section} class="fields">
          {section && (
            <legend>
              <Foreign text={section} bound={120} />
            </legend>
          )}
          {rows.map((param) => (
            <Field
              key={param.name}
              param={param}
              text={texts.value[param.name] ?? ""}
              problems={of(param.name)}
              change={(text) => (texts.value = { ...texts.value, [param.name]: text })}
            />
          ))}
        </fieldset>
      ))}
      <div class="columns">
        <Reason label={t("action.reason")} text={reason} />
        <label class="labelled">
          <span>{t("start.logicalDate")}</span>
          <input
            type="datetime-local"
            list={undefined}
            class="field"
            onInput={(event) => (date.value = event.currentTarget.value)}
          />
        </label>
      </div>
      {other.map((problem) => (
        <p key={problem.text} class="tone-fail toned" role="alert">
          <Foreign text={`${problem.field}: ${problem.text}`} bound={600} />
        </p>
      ))}
      {error.value && <Trouble error={error.value} />}
      {preview.value && (
        <>
          {preview.value.notes.map((note) => (
            <p key={note} class="muted">
              <Foreign text={note} bound={600} />
            </p>
          ))}
          <AsCommand command={preview.value.command} yaml={preview.value.yaml} />
        </>
      )}
    </Dialog>
  );
}

/** `spec.params.horizon` or `params.horizon[0]` → `horizon`. */
export function fieldName(field: string): string {
  return /(?:^|\.)params\.([^.[]+)/.exec(field)?.[1] ?? field;
}

function Field({
  param,
  text,
  problems,
  change,
}: {
  param: ParamRow;
  text: string;
  problems: FieldProblem[];
  change: (text: string) => void;
}) {
  const id = `param-${param.name}`;
  const said = problems.length > 0;
  const about = {
    id,
    class: "field",
    "aria-invalid": said,
    "aria-describedby": `${id}-about`,
    required: param.required,
  };
  const bounds = [
    param.min !== null && `≥ ${String(param.min)}`,
    param.max !== null && `≤ ${String(param.max)}`,
    param.pattern?.slice(0, 120),
  ].filter(Boolean);
  const typedIn = (event: Event) => change((event.currentTarget as HTMLInputElement).value);
  return (
    <div class="labelled">
      <label for={id}>
        <b>
          <Foreign text={param.title || param.name} bound={120} />
        </b>{" "}
        <span class="muted">
          {param.type}
          {param.required && ` · ${t("start.required")}`}
        </span>
      </label>
      {param.enum.length > 0 ? (
        <select {...about} value={text} onChange={typedIn}>
          {(param.nullable || (param.default === null && !param.required)) && <option value="">–</option>}
          {param.enum.map((one) => (
            <option key={typed(param, one)} value={typed(param, one)}>
              {typed(param, one).slice(0, 200)}
            </option>
          ))}
        </select>
      ) : param.type === "boolean" ? (
        <select {...about} value={text} onChange={typedIn}>
          {param.default === null && <option value="">–</option>}
          <option value="true">{t("common.yes")}</option>
          <option value="false">{t("common.no")}</option>
        </select>
      ) : isList(param) || param.type === "object" ? (
        <textarea {...about} rows={Math.min(8, Math.max(2, text.split("\n").length))} value={text} onInput={typedIn} />
      ) : (
        <input
          {...about}
          list={undefined}
          type={(param.secret ? "password" : "text") as "text"}
          inputMode={param.type === "integer" || param.type === "number" ? "decimal" : undefined}
          autocomplete="off"
          value={text}
          onInput={typedIn}
        />
      )}
      <span id={`${id}-about`} class={said ? "sub tone-fail toned" : "sub muted"}>
        <Foreign
          text={
            said
              ? problems.map((problem) => problem.text).join("; ")
              : [param.description, ...bounds, isList(param) ? t("start.lines") : ""].filter(Boolean).join(" · ")
          }
          bound={600}
        />
      </span>
    </div>
  );
}
