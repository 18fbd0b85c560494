/** Which screen an address shows. Screens are loaded when they are first needed. */

import { effect, signal } from "@preact/signals";
import { Component, type ComponentType } from "preact";
import { liveness } from "../api/live";
import { t } from "../i18n";
import { Empty, Loading } from "../parts/basic";
import { segments, to } from "./router";

type Module = { Screen: ComponentType };

const SCREENS: Record<string, () => Promise<Module>> = {
  "": () => import("../screens/overview"),
  runs: () => import("../screens/runs"),
  run: () => import("../screens/run/run"),
  dags: () => import("../screens/dags"),
  dag: () => import("../screens/dag/dag"),
  approvals: () => import("../screens/approvals"),
  triggers: () => import("../screens/triggers"),
  backfills: () => import("../screens/backfills"),
  pools: () => import("../screens/pools"),
  assets: () => import("../screens/assets"),
  health: () => import("../screens/health"),
  compare: () => import("../screens/compare"),
};

/** The name of the screen for an address, or null. */
export function screenOf(parts: string[]): string | null {
  const [first = "", ...rest] = parts;
  if ((first === "runs" || first === "dags") && rest.length === 2) return first.slice(0, -1);
  if (first === "compare") return rest.length === 3 ? "compare" : null;
  return rest.length === 0 && Object.hasOwn(SCREENS, first) && first !== "run" && first !== "dag" ? first : null;
}

const loaded = signal<Record<string, ComponentType>>({});
const broken = signal<string | null>(null);
const loading = new Set<string>();

async function load(name: string): Promise<void> {
  if (loading.has(name)) return;
  loading.add(name);
  try {
    const module = await SCREENS[name]!();
    loaded.value = { ...loaded.value, [name]: module.Screen };
    broken.value = null;
  } catch (error) {
    broken.value = String(error);
  } finally {
    loading.delete(name);
  }
}

/** Loads the other screens when there is nothing else to do: then a change of screen needs no answer of the server. */
export function loadAll(): void {
  const rest = Object.keys(SCREENS);
  const next = () => {
    const name = rest.shift();
    if (name === undefined) return;
    SCREENS[name]!().catch(() => {});
    setTimeout(next, 150);
  };
  setTimeout(next, 1500);
}

// What could not be loaded once is not loaded again by the browser: with the server back, the page starts anew.
effect(() => {
  if (liveness.value === "live" && broken.value !== null) location.reload();
});

/** A screen that throws shows what it threw, and the rest of the page goes on. */
class Guard extends Component<{ of: string }, { error: string | null; of: string }> {
  state = { error: null as string | null, of: "" };
  static getDerivedStateFromError(error: unknown) {
    return { error: String(error) };
  }
  componentDidUpdate(before: { of: string }) {
    if (before.of !== this.props.of && this.state.error !== null) this.setState({ error: null });
  }
  render() {
    if (this.state.error === null) return this.props.children;
    return (
      <div class="trouble" role="alert">
        <p class="trouble-title">{t("error.screen")}</p>
        <p>{this.state.error}</p>
        <button type="button" class="button" onClick={() => this.setState({ error: null })}>
          {t("error.again")}
        </button>
      </div>
    );
  }
}

export function Current() {
  const name = screenOf(segments.value);
  if (name === null)
    return (
      <Empty title={t("page.missing")}>
        <a href={to([])}>{t("page.missing.todo")}</a>
      </Empty>
    );
  const Shown = loaded.value[name];
  if (!Shown) {
    void load(name);
    if (broken.value)
      return (
        <div class="trouble" role="alert">
          <p class="trouble-title">{t("error.away")}</p>
          <button type="button" class="button" onClick={() => location.reload()}>
            {t("error.again")}
          </button>
        </div>
      );
    return <Loading />;
  }
  const key = segments.value.slice(0, 3).join("/");
  return (
    <Guard of={key}>
      <Shown key={key} />
    </Guard>
  );
}
