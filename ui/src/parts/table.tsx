/** A table that scrolls sideways where the page is narrow. */

import type { ComponentChildren } from "preact";

/** `head` are the cells of the first line, `children` the lines below it. */
export function Table({
  label,
  kind,
  head,
  children,
}: {
  label: string;
  kind?: "small" | "runs";
  head: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <div class="table-wrap">
      <table class={kind} aria-label={label}>
        <thead>
          <tr>{head}</tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
