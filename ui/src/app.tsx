/** The frame around every screen. */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { ApprovalsAnswer } from "./api";
import { behind, heard, liveness } from "./api/live";
import { unauthorized, useResource } from "./api/resource";
import { me, startProblem } from "./api/session";
import { type Key, LANGUAGES, type Language, language, speak, t } from "./i18n";
import { Code, Foreign, Icon, type IconName, Trouble, Words } from "./parts/basic";
import { Dialog } from "./parts/dialog";
import { Search, search } from "./parts/search";
import { type Theme, theme, type Zone, zone } from "./prefs";
import { help, startKeys } from "./router/keys";
import { go, namespace, queried, segments, to } from "./router/router";
import { Current } from "./router/screens";
import { age, now } from "./text/time";
import { visible } from "./text/visible";

const NAV: { path: string; key: Key; icon: IconName }[] = [
  { path: "", key: "nav.overview", icon: "overview" },
  { path: "runs", key: "nav.runs", icon: "runs" },
  { path: "dags", key: "nav.dags", icon: "dags" },
  { path: "approvals", key: "nav.approvals", icon: "approvals" },
  { path: "triggers", key: "nav.triggers", icon: "triggers" },
  { path: "backfills", key: "nav.backfills", icon: "backfills" },
  { path: "pools", key: "nav.pools", icon: "pools" },
  { path: "assets", key: "nav.assets", icon: "assets" },
  { path: "health", key: "nav.health", icon: "health" },
];

export function App() {
  useEffect(startKeys, []);
  useEffect(() => {
    document.title = title(segments.value);
  }, [segments.value, language.value]);
  if (unauthorized.value !== null) return <SignIn />;
  return (
    <div class="shell">
      <a class="skip" href="#main" onClick={toMain}>
        {t("nav.skip")}
      </a>
      <Header />
      <Nav />
      <main id="main" tabIndex={-1}>
        <Away />
        <Problems />
        {startProblem.value && !me.value ? <Trouble error={startProblem.value} /> : <Current />}
      </main>
      {search.value && <Search />}
      {help.value && <Keys />}
    </div>
  );
}

/** The title of the window: what the address names, then the product. */
function title(parts: string[]): string {
  const entry = NAV.find((one) => one.path === (parts[0] ?? ""));
  const name = parts.length > 2 ? parts[2]! : entry ? t(entry.key) : "";
  return [visible(name).slice(0, 120), t("app.name")].filter(Boolean).join(" · ");
}

function toMain(event: Event): void {
  event.preventDefault();
  event.stopPropagation();
  document.getElementById("main")?.focus();
}

function Away() {
  if (liveness.value !== "away" || heard.value === 0) return null;
  return (
    <div class="away" role="status">
      {t("away.banner", { ago: age(heard.value, now.value) })}
    </div>
  );
}

function Problems() {
  const problems = me.value?.problems ?? [];
  if (problems.length === 0) return null;
  return (
    <div class="notice" role="note">
      {problems.map((problem) => (
        <p key={problem.words}>
          <Words text={problem.words} />
        </p>
      ))}
    </div>
  );
}

function Header() {
  return (
    <header class="header">
      <a class="brand" href={to([])}>
        <svg width="26" height="26" viewBox="0 0 32 32" aria-hidden="true">
          <rect width="32" height="32" rx="8" class="brand-box" />
          <g fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round">
            <path d="M6 12h13a3.6 3.6 0 1 0-3.5-4.6" />
            <path d="M6 17h17.5a3.4 3.4 0 1 1-3.2 4.6" />
            <path d="M6 22h8.5a2.9 2.9 0 1 1-2.7 4" />
          </g>
        </svg>
        <span class="brand-name">{t("app.name")}</span>
      </a>
      <Namespaces />
      <button
        type="button"
        class="search-button"
        onClick={() => (search.value = true)}
        aria-keyshortcuts="Control+K Meta+K"
      >
        <Icon name="search" size={14} />
        <span>{t("header.search")}</span>
        <kbd>{/Mac/.test(navigator.platform) ? "⌘K" : "Ctrl K"}</kbd>
      </button>
      <span class="spread" />
      <Live />
      <Settings />
    </header>
  );
}

function Namespaces() {
  const known = me.value?.namespaces ?? [];
  const all = namespace.value && !known.includes(namespace.value) ? [namespace.value, ...known] : known;
  return (
    <label class="chooser">
      <span class="visually-hidden">{t("header.namespace")}</span>
      <select value={namespace.value} onChange={(event) => go(queried({ ns: event.currentTarget.value || null }))}>
        <option value="">{t("header.all")}</option>
        {all.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function Live() {
  const state = liveness.value;
  if (state === "live" && behind.value > 2)
    return (
      <span class="live live-away" role="status" title={t("live.behind.title")}>
        <svg width="10" height="10" viewBox="0 0 10 10" aria-hidden="true">
          <path d="M5 .5 9.5 9.2H.5Z" />
        </svg>
        <span>{t("live.behind", { seconds: Math.round(behind.value) })}</span>
      </span>
    );
  return (
    <span class={`live live-${state}`} title={t(`live.${state}`)} role="status">
      <svg width="10" height="10" viewBox="0 0 10 10" aria-hidden="true">
        {state === "live" ? <circle cx="5" cy="5" r="4.5" /> : <path d="M5 .5 9.5 9.200H.5Z" />}
      </svg>
      <span>{t(`live.word.${state}`)}</span>
    </span>
  );
}

function Settings() {
  const open = useSignal(false);
  useEffect(() => {
    if (!open.value) return;
    const outside = (event: Event) => {
      if (!(event.target as Element).closest(".settings")) open.value = false;
    };
    const escaped = (event: KeyboardEvent) => {
      if (event.key === "Escape") open.value = false;
    };
    document.addEventListener("pointerdown", outside);
    document.addEventListener("keydown", escaped);
    return () => {
      document.removeEventListener("pointerdown", outside);
      document.removeEventListener("keydown", escaped);
    };
  }, [open.value]);
  const who = me.value;
  return (
    <div class="settings">
      <button
        type="button"
        class="button quiet settings-button"
        aria-expanded={open.value}
        title={t("header.settings")}
        onClick={() => (open.value = !open.value)}
      >
        <Icon name="settings" />
        <span class="visually-hidden">{t("header.settings")}</span>
        <span class="settings-zone">{zone.value === "utc" ? "UTC" : t("header.zone.local")}</span>
      </button>
      {open.value && (
        <div class="settings-box">
          {who && (
            <dl class="facts">
              <dt>{t("header.signed")}</dt>
              <dd>
                <Foreign text={who.user} />
              </dd>
              <dt>{t("header.cluster")}</dt>
              <dd>{who.mode === "local" ? t("header.local") : <Foreign text={who.cluster} />}</dd>
              <dt>{t("header.version")}</dt>
              <dd>{who.version}</dd>
            </dl>
          )}
          <Choice<Theme>
            label={t("header.theme")}
            value={theme.value}
            options={{ system: t("header.theme.system"), light: t("header.theme.light"), dark: t("header.theme.dark") }}
            choose={(value) => (theme.value = value)}
          />
          <Choice<Zone>
            label={t("header.zone")}
            value={zone.value}
            options={{ local: t("header.zone.local"), utc: t("header.zone.utc") }}
            choose={(value) => (zone.value = value)}
          />
          <Choice<Language>
            label={t("header.language")}
            value={language.value}
            options={LANGUAGES}
            choose={(value) => void speak(value)}
          />
        </div>
      )}
    </div>
  );
}

function Choice<T extends string>({
  label,
  value,
  options,
  choose,
}: {
  label: string;
  value: T;
  options: Record<T, string>;
  choose: (value: T) => void;
}) {
  return (
    <fieldset class="choice">
      <legend>{label}</legend>
      <div class="segmented">
        {(Object.keys(options) as T[]).map((option) => (
          <button key={option} type="button" aria-pressed={option === value} onClick={() => choose(option)}>
            {options[option]}
          </button>
        ))}
      </div>
    </fieldset>
  );
}

function Nav() {
  const approvals = useResource<ApprovalsAnswer>("approvals", ["approvals"]);
  const pending = approvals.data.value?.approvals.length ?? 0;
  const first = segments.value[0] === "compare" ? "runs" : (segments.value[0] ?? "");
  return (
    <nav class="nav" aria-label={t("nav.label")}>
      {NAV.map(({ path, key, icon }) => (
        <a key={path} href={to(path ? [path] : [])} aria-current={first === path ? "page" : undefined} title={t(key)}>
          <Icon name={icon} />
          <span>{t(key)}</span>
          {path === "approvals" && pending > 0 && <b class="count num">{pending}</b>}
        </a>
      ))}
      <button type="button" class="nav-help" onClick={() => (help.value = true)} title={t("keys.title")}>
        <kbd>?</kbd>
        <span>{t("keys.title")}</span>
      </button>
    </nav>
  );
}

function Keys() {
  const rows: [string, Key][] = [
    ["Ctrl K  ⌘K", "keys.search"],
    ["g o   g r   g d   g a", "keys.go"],
    ["j   k", "keys.rows"],
    ["Enter", "keys.open"],
    ["w", "keys.why"],
    ["l", "keys.log"],
    [".", "keys.actions"],
    ["?", "keys.help"],
  ];
  return (
    <Dialog title={t("keys.title")} close={() => (help.value = false)}>
      <dl class="keys">
        {rows.map(([keys, key]) => (
          <div key={key}>
            <dt>
              {keys.split(/ {2,}/).map((one) => (
                <kbd key={one}>{one}</kbd>
              ))}
            </dt>
            <dd>{t(key)}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}

function SignIn() {
  return (
    <main class="signin">
      <h1>{t("signin.title")}</h1>
      {unauthorized.value && (
        <p>
          <Words text={unauthorized.value} />
        </p>
      )}
      <p>{t("signin.text")}</p>
      <Code text="tradewind ui" label="$" />
    </main>
  );
}
