/** Lists that come whole are filtered here, by the text in the address. */

import { place } from "../router/router";

/** Whether one of the texts has what is searched for. */
export function fits(...texts: string[]): boolean {
  const wanted = (place.value.query.get("q") ?? "").toLowerCase();
  return wanted === "" || texts.some((text) => text.toLowerCase().includes(wanted));
}
