/** Text from outside: shown, never obeyed. */

// Bidi controls, zero-width characters, line separators, C0/C1 controls without tab and newline, lone surrogates.
const HIDDEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what has to be seen
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** The text with what can't be seen, or reorders what is seen, as ⟨U+202E⟩. */
export function visible(text: string): string {
  return text.replace(HIDDEN, (mark) => `⟨U+${mark.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
}

export type Piece = { text: string; href?: string };

const ADDRESS = /\bhttps?:\/\/[^\s<>"'`⟨⟩]+[^\s<>"'`⟨⟩.,;:!?)\]}]/g;

/** The pieces of a text: plain ones, and addresses of the web that may be followed. */
export function pieces(text: string): Piece[] {
  const shown = visible(text);
  const found: Piece[] = [];
  let from = 0;
  for (const match of shown.matchAll(ADDRESS)) {
    const href = webAddress(match[0]);
    if (href === null) continue;
    if (match.index > from) found.push({ text: shown.slice(from, match.index) });
    found.push({ text: match[0], href });
    from = match.index + match[0].length;
  }
  if (from < shown.length || found.length === 0) found.push({ text: shown.slice(from) });
  return found;
}

/** An address that may be a link: http or https, without a user in it. */
export function webAddress(text: string): string | null {
  try {
    const url = new URL(text);
    return (url.protocol === "http:" || url.protocol === "https:") && !url.username ? url.href : null;
  } catch {
    return null;
  }
}
