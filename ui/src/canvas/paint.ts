/** Colours of the style sheet, as canvases need them, and shapes and hatches made once. */

import { look } from "../parts/shapes";
import { painted } from "../prefs";

let made = -1;
let colours = new Map<string, string>();
let hatches = new Map<string, CanvasPattern | string>();
const paths = new Map<string, Path2D>();

/** The value of a colour of tokens.css in the theme of now. */
export function colour(name: string): string {
  if (made !== painted.peek()) {
    made = painted.peek();
    colours = new Map();
    hatches = new Map();
  }
  let value = colours.get(name);
  if (value === undefined) {
    const probe = document.createElement("span");
    probe.style.color = `var(--${name})`;
    document.body.append(probe);
    value = getComputedStyle(probe).color || "gray";
    probe.remove();
    colours.set(name, value);
  }
  return value;
}

export function tone(state: string): string {
  return colour(look(state).tone);
}

export function cause(name: string): string {
  return colour(`cause-${name.replace(" ", "-")}`);
}

/** A hatch in a colour: waiting is told from work without colour. */
export function hatch(context: CanvasRenderingContext2D, name: string): CanvasPattern | string {
  const value = cause(name);
  const known = hatches.get(value);
  if (known) return known;
  const tile = document.createElement("canvas");
  tile.width = tile.height = 12;
  const pen = tile.getContext("2d");
  if (!pen) return value;
  pen.globalAlpha = 0.32;
  pen.fillStyle = value;
  pen.fillRect(0, 0, 12, 12);
  pen.globalAlpha = 1;
  pen.strokeStyle = value;
  pen.lineWidth = 2.6;
  pen.beginPath();
  for (const shift of [-12, 0, 12]) {
    pen.moveTo(shift - 2, 14);
    pen.lineTo(shift + 14, -2);
  }
  pen.stroke();
  const pattern = context.createPattern(tile, "repeat");
  const found = pattern ?? value;
  pattern?.setTransform(new DOMMatrix([0.5, 0, 0, 0.5, 0, 0]));
  hatches.set(value, found);
  return found;
}

/** Draws a state's shape at x, y, in its colour. */
export function shape(context: CanvasRenderingContext2D, state: string, x: number, y: number, size: number): void {
  const text = look(state).shape;
  let path = paths.get(text);
  if (!path) {
    path = new Path2D(text);
    paths.set(text, path);
  }
  context.save();
  context.translate(x, y);
  context.scale(size / 16, size / 16);
  context.fillStyle = tone(state);
  context.fill(path, "evenodd");
  context.restore();
}

/** The text, shortened with an ellipsis so that it fits. */
export function fitted(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text;
  let low = 0;
  let high = text.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (context.measureText(`${text.slice(0, middle)}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return `${text.slice(0, low)}…`;
}

export const SANS = 'Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';
