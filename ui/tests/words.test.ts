import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { filled } from "../src/i18n";
import en from "../src/i18n/en.json";
import fr from "../src/i18n/fr.json";

const placeholders = (text: string) => [...new Set(text.match(/\{\w+\}/g) ?? [])].sort();
/** Keys that are put together from a word of the server. */
const MADE = [
  "state.",
  "cause.",
  "how.",
  "kind.",
  "level.",
  "live.",
  "need.",
  "action.",
  "run.view.",
  "compare.differs.",
  "header.",
];

describe("the dictionaries", () => {
  it("have the same keys", () => {
    expect(Object.keys(fr).sort()).toEqual(Object.keys(en).sort());
  });

  it("have the same placeholders", () => {
    for (const [key, text] of Object.entries(en))
      expect([key, placeholders(fr[key as keyof typeof fr])]).toEqual([key, placeholders(text)]);
  });

  it("have two forms where they have a count of something, in both languages", () => {
    for (const [key, text] of Object.entries(en))
      expect([key, fr[key as keyof typeof fr].split("|").length]).toEqual([key, text.split("|").length]);
  });

  it("hold no key that nothing uses", () => {
    const root = join(import.meta.dirname, "../src");
    const source = readdirSync(root, { recursive: true, encoding: "utf8" })
      .filter((path) => /\.tsx?$/.test(path))
      .map((path) => readFileSync(join(root, path), "utf8"))
      .join("\n");
    expect(
      Object.keys(en).filter((key) => !source.includes(`"${key}"`) && !MADE.some((made) => key.startsWith(made))),
    ).toEqual([]);
  });
});

describe("a text", () => {
  it("has the form of its number", () => {
    const rules = new Intl.PluralRules("en");
    expect(filled("{count} row|{count} rows", { count: 1 }, rules, "en")).toBe("1 row");
    expect(filled("{count} row|{count} rows", { count: 0 }, rules, "en")).toBe("0 rows");
    expect(filled("{count} ligne|{count} lignes", { count: 0 }, new Intl.PluralRules("fr"), "fr")).toBe("0 ligne");
  });

  it("keeps placeholders of values as they are", () => {
    expect(filled("{a} and {b}", { a: "{b}", b: "x" }, new Intl.PluralRules("en"), "en")).toBe("{b} and x");
  });
});
