/** A dialog over the page: Escape closes it, and the focus goes back to where it was. */

import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import { t } from "../i18n";
import { Icon } from "./basic";

/** What the dialog's own button does; `off` while it can't. */
export interface Act {
  label: string;
  harsh?: boolean;
  off: boolean;
  run: () => void;
}

export function Dialog({
  title,
  close,
  children,
  act,
  wide,
}: {
  title: string;
  close: () => void;
  children: ComponentChildren;
  act?: Act;
  wide?: boolean;
}) {
  const element = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    // Before the next key arrives: whoever types on goes on in the dialog.
    const before = document.activeElement as HTMLElement | null;
    const dialog = element.current;
    dialog?.showModal();
    // To the first field if there is one; else to the dialog, not to the button that closes it.
    const field = dialog?.querySelector<HTMLElement>(".dialog-body input, .dialog-body select, .dialog-body textarea");
    (field ?? dialog)?.focus();
    return () => {
      dialog?.close();
      before?.focus?.();
    };
  }, []);
  return (
    <dialog
      ref={element}
      tabIndex={-1}
      class={wide ? "dialog wide" : "dialog"}
      aria-label={title}
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
      onClick={(event) => {
        if (event.target === element.current) close();
      }}
    >
      <div class="dialog-box">
        <header class="dialog-head">
          <h2>{title}</h2>
          <button type="button" class="button icon-only quiet" onClick={close} aria-label={t("common.close")}>
            <Icon name="close" />
          </button>
        </header>
        <div class="dialog-body">{children}</div>
        {act && (
          <footer class="dialog-foot">
            <button type="button" class="button" onClick={close}>
              {t("common.cancel")}
            </button>
            <button
              type="button"
              class={act.harsh ? "button danger" : "button primary"}
              disabled={act.off}
              onClick={act.run}
            >
              {act.label}
            </button>
          </footer>
        )}
      </div>
    </dialog>
  );
}
