/** Words in the reader's language: keys in code, a dictionary each, plurals by the browser. */

import { effect, signal } from "@preact/signals";
import en from "./en.json";

export type Key = keyof typeof en;
export type Language = "en" | "fr";
type Words = Record<string, string>;

export const LANGUAGES: Record<Language, string> = { en: "English", fr: "Français" };
const dictionaries: Partial<Record<Language, Words>> = { en };

function first(): Language {
  try {
    const stored = localStorage.getItem("tradewind.language");
    if (stored === "en" || stored === "fr") return stored;
  } catch {
    // as for prefs
  }
  return navigator.language?.startsWith("fr") ? "fr" : "en";
}

export const language = signal<Language>("en");
const wanted = signal<Language>(first());
let plural = new Intl.PluralRules("en");

export async function speak(chosen: Language): Promise<void> {
  if (!dictionaries[chosen]) dictionaries[chosen] = (await import("./fr.json")).default;
  plural = new Intl.PluralRules(chosen);
  language.value = chosen;
  wanted.value = chosen;
}

/** Loads the dictionary of the reader's language, if it isn't English. */
export async function startLanguage(): Promise<void> {
  if (wanted.value !== "en") await speak(wanted.value).catch(() => {});
}

effect(() => {
  document.documentElement.lang = language.value;
  try {
    localStorage.setItem("tradewind.language", wanted.value);
  } catch {
    // as for prefs
  }
});

/** The words of a key. With `count`, a text `one|other` gives its form; `{name}` is replaced. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  const words = dictionaries[language.value]?.[key] ?? en[key] ?? key;
  return filled(words, values, plural, language.value);
}

export function filled(
  words: string,
  values: Record<string, string | number>,
  rules: Intl.PluralRules,
  locale: string,
): string {
  const forms = words.split("|");
  const count = values.count;
  const form =
    forms.length > 1 && typeof count === "number"
      ? forms[rules.select(count) === "one" ? 0 : forms.length - 1]!
      : words;
  return form.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    return value === undefined ? whole : typeof value === "number" ? value.toLocaleString(locale) : value;
  });
}

/** A word of a closed list of the server (a state, a phase, a cause); unknown ones are shown as they are. */
export function word(kind: "state" | "cause" | "how" | "kind" | "level", value: string): string {
  const key = `${kind}.${value}`;
  return key in en ? t(key as Key) : value;
}
