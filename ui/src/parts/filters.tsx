/** Filters that are kept in the address. */

import { useEffect, useRef } from "preact/hooks";
import { t } from "../i18n";
import { go, place, queried } from "../router/router";

export function FilterText({ name = "q", label }: { name?: string; label?: string }) {
  const due = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(due.current), []);
  return (
    <input
      type="search"
      list={undefined}
      class="field"
      aria-label={label ?? t("common.filter")}
      placeholder={label ?? t("common.filter")}
      defaultValue={place.value.query.get(name) ?? ""}
      onInput={(event) => {
        const text = event.currentTarget.value;
        clearTimeout(due.current);
        due.current = setTimeout(() => go(queried({ [name]: text || null, after: null }), true), 150);
      }}
    />
  );
}

export function FilterChoice({ name, label, options }: { name: string; label: string; options: [string, string][] }) {
  return (
    <select
      class="field"
      aria-label={label}
      value={place.value.query.get(name) ?? ""}
      onChange={(event) => go(queried({ [name]: event.currentTarget.value || null, after: null }), true)}
    >
      {options.map(([value, words]) => (
        <option key={value} value={value}>
          {words}
        </option>
      ))}
    </select>
  );
}
