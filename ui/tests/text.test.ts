import { describe, expect, it } from "vitest";
import { split } from "../src/screens/run/log";
import { LINE_BOUND, mark, spans } from "../src/text/ansi";
import { age, took } from "../src/text/time";
import { pieces, visible, webAddress } from "../src/text/visible";

const plain = (line: string) =>
  spans(line)
    .map((span) => span.text)
    .join("");

describe("text from outside", () => {
  it("shows what reorders or hides text", () => {
    expect(visible("a\u202eb\u200bc\u0000")).toBe("a⟨U+202E⟩b⟨U+200B⟩c⟨U+0000⟩");
    expect(visible("\ud800x")).toBe("⟨U+D800⟩x");
  });

  it("leaves letters, marks and pictures of all languages alone", () => {
    for (const text of ["Größe\tß\n", "שלום", "😀", "é", "日本語"]) expect(visible(text)).toBe(text);
  });

  it("links web addresses and nothing else", () => {
    expect(pieces("see https://a.example/x, or not")).toEqual([
      { text: "see " },
      { text: "https://a.example/x", href: "https://a.example/x" },
      { text: ", or not" },
    ]);
    for (const text of ["javascript:alert(1)", "data:text/html,x", "file:///etc", "https://user@evil.example/"])
      expect(pieces(text).every((piece) => piece.href === undefined)).toBe(true);
    expect(webAddress("javascript:alert(1)")).toBeNull();
  });
});

describe("a line of a log", () => {
  it("has colours by a fixed table", () => {
    expect(spans("\u001b[1;31mbad\u001b[0m ok")).toEqual([
      { text: "bad", className: "ansi-bold ansi-red" },
      { text: " ok", className: "" },
    ]);
    expect(spans("\u001b[38;5;2mx\u001b[38;2;1;2;3my")).toEqual([
      { text: "x", className: "ansi-green" },
      { text: "y", className: "ansi-green" },
    ]);
  });

  it("drops everything else of terminals", () => {
    expect(plain("\u001b]8;;javascript:alert(1)\u0007click\u001b]8;;\u0007")).toBe("click");
    expect(plain("\u001b]0;title\u001b\\a\u001b[2Jb\u001bPx\u001b\\c\u001b(Bd")).toBe("abcd");
  });

  it("is what a carriage return leaves", () => {
    expect(plain(" 10 %\r 50 %\r100 %")).toBe("100 %");
    expect(plain("line of Windows\r")).toBe("line of Windows");
  });

  it("is bounded", () => {
    expect(plain("x".repeat(1_000_000))).toHaveLength(LINE_BOUND);
  });

  it("says what it is", () => {
    expect(mark("::error file=a.py::broken")).toBe("error");
    expect(mark("2026-01-01T00:00:00Z ::group::Load")).toBe("group");
    expect(mark("12:00 WARNING careful")).toBe("warning");
    expect(mark("no errors, all fine")).toBe("");
  });

  it("ends with a newline, or not", () => {
    expect(split("")).toEqual([]);
    expect(split("a\nb\n")).toEqual(["a", "b"]);
    expect(split("a\n\nb")).toEqual(["a", "", "b"]);
  });
});

describe("durations", () => {
  it("are never 0", () => {
    expect([0, 0.4, 1, 59, 60, 61, 3600, 7500, 90_000].map(took)).toEqual([
      "<1s",
      "<1s",
      "1s",
      "59s",
      "1m",
      "1m 1s",
      "1h",
      "2h 5m",
      "1d 1h",
    ]);
    expect(took(null)).toBe("–");
  });

  it("are told from now", () => {
    expect(age(1000 - 90_000, 1000)).toMatch(/1.*ago/);
    expect(age(3_600_000 * 2, 0)).toMatch(/in 2/);
    expect(age(5, 5)).toMatch(/0.*ago/);
  });
});
