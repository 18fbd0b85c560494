/** A canvas that follows its element's size, the screen's density and the theme. */

import { effect } from "@preact/signals";
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { painted } from "../prefs";

export type Draw = (context: CanvasRenderingContext2D, width: number, height: number) => void;

export interface Surface {
  ref: RefObject<HTMLCanvasElement | null>;
  /** Draws before the next frame; any number of calls is one drawing. */
  redraw: () => void;
  size: () => { width: number; height: number };
}

export function useSurface(draw: Draw): Surface {
  const ref = useRef<HTMLCanvasElement>(null);
  const latest = useRef(draw);
  latest.current = draw;
  const frame = useRef(0);
  const size = useRef({ width: 0, height: 0 });
  const redraw = useRef(() => {
    if (frame.current) return;
    frame.current = requestAnimationFrame(() => {
      frame.current = 0;
      const canvas = ref.current;
      const context = canvas?.getContext("2d");
      if (!canvas || !context) return;
      const { width, height } = size.current;
      const density = devicePixelRatio || 1;
      const wide = Math.round(width * density);
      const high = Math.round(height * density);
      if (canvas.width !== wide || canvas.height !== high) {
        canvas.width = wide;
        canvas.height = high;
      }
      context.setTransform(density, 0, 0, density, 0, 0);
      context.clearRect(0, 0, width, height);
      latest.current(context, width, height);
    });
  }).current;
  useEffect(() => {
    const canvas = ref.current!;
    const observer = new ResizeObserver(() => {
      size.current = { width: canvas.clientWidth, height: canvas.clientHeight };
      redraw();
    });
    observer.observe(canvas);
    const stop = effect(() => {
      void painted.value;
      redraw();
    });
    return () => {
      observer.disconnect();
      stop();
      cancelAnimationFrame(frame.current);
      frame.current = 0;
    };
  }, []);
  useEffect(redraw);
  return { ref, redraw, size: () => size.current };
}
