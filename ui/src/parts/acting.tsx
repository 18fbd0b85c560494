/** What the dialogs of all actions have: a reason, and the same as a command. */

import type { Signal } from "@preact/signals";
import { t } from "../i18n";
import { Code } from "./basic";

export function Reason({ label, text }: { label: string; text: Signal<string> }) {
  return (
    <label class="labelled">
      <span>{label}</span>
      <input
        type="text"
        list={undefined}
        class="field"
        maxLength={500}
        value={text.value}
        onInput={(event) => (text.value = event.currentTarget.value)}
      />
    </label>
  );
}

export function AsCommand({ command, yaml }: { command: string; yaml: string }) {
  return (
    <>
      <Code text={command} label={t("action.command")} />
      {yaml && <Code text={yaml} label="YAML" />}
    </>
  );
}
