/** ⌘K: everything with a name, found by the server. */

import { signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { SearchAnswer, SearchHit } from "../api";
import { withQuery } from "../api/client";
import { useResource } from "../api/resource";
import { t } from "../i18n";
import { go, to } from "../router/router";
import { Foreign, Icon, type IconName, Loading, Trouble } from "./basic";
import { Dialog } from "./dialog";

export const search = signal(false);

const PAGES: Record<string, string> = {
  trigger: "triggers",
  pool: "pools",
  asset: "assets",
  backfill: "backfills",
  approval: "approvals",
};
const ICONS: Record<string, IconName> = {
  run: "runs",
  dag: "dags",
  trigger: "triggers",
  pool: "pools",
  asset: "assets",
  backfill: "backfills",
  approval: "approvals",
};

/** Where a hit leads. */
export function hitAddress(hit: SearchHit): string {
  const kind = hit.kind.toLowerCase().replace(/^dagrun$/, "run");
  if (kind === "run" || kind === "dag") return to([`${kind}s`, hit.namespace, hit.name]);
  return to([PAGES[kind] ?? ""], { q: hit.name });
}

export function Search() {
  const text = useSignal("");
  const asked = useSignal("");
  const chosen = useSignal(0);
  useEffect(() => {
    const due = setTimeout(() => {
      asked.value = text.value.trim();
      chosen.value = 0;
    }, 100);
    return () => clearTimeout(due);
  }, [text.value]);
  const found = useResource<SearchAnswer>(asked.value ? withQuery("search", { q: asked.value }) : null);
  const hits = found.data.value?.hits ?? [];
  const close = () => (search.value = false);
  const open = (hit: SearchHit) => {
    close();
    go(hitAddress(hit));
  };
  const pressed = (event: KeyboardEvent) => {
    if (event.key === "ArrowDown") chosen.value = Math.min(hits.length - 1, chosen.value + 1);
    else if (event.key === "ArrowUp") chosen.value = Math.max(0, chosen.value - 1);
    else if (event.key === "Enter" && hits[chosen.value]) open(hits[chosen.value]!);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog title={t("header.search")} close={close}>
      <input
        class="search-input"
        type="text"
        role="combobox"
        list={undefined}
        aria-expanded={hits.length > 0}
        aria-controls="hits"
        aria-activedescendant={hits.length ? `hit-${chosen.value}` : undefined}
        aria-label={t("header.search")}
        placeholder={t("search.placeholder")}
        value={text.value}
        autofocus
        onInput={(event) => (text.value = event.currentTarget.value)}
        onKeyDown={pressed}
      />
      {found.error.value ? (
        <Trouble error={found.error.value} />
      ) : asked.value === "" ? (
        <p class="muted search-hint">{t("search.hint")}</p>
      ) : found.loading.value ? (
        <Loading rows={3} />
      ) : hits.length === 0 ? (
        <p class="muted search-hint">{t("search.none", { text: asked.value })}</p>
      ) : null}
      <div id="hits" role="listbox" aria-label={t("search.results")} class="hits">
        {hits.map((hit, index) => (
          <div
            key={`${hit.kind}/${hit.namespace}/${hit.name}`}
            id={`hit-${index}`}
            role="option"
            aria-selected={index === chosen.value}
            class="hit"
            onClick={() => open(hit)}
          >
            <Icon name={ICONS[hit.kind.toLowerCase()] ?? "info"} size={14} />
            <span class="hit-name">
              <Foreign text={hit.name} />
            </span>
            <span class="muted hit-text">
              <Foreign text={hit.text} bound={120} />
            </span>
            <span class="muted">
              <Foreign text={hit.namespace} />
            </span>
          </div>
        ))}
      </div>
    </Dialog>
  );
}
