/** Light or dark: the system's choice, until the reader chooses. */

import { makeButton } from "./dom";

type Theme = "light" | "dark";

const KEY = "theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;

/** A page around this one, in whose frame it stands, says which: `{theme: "dark"}`. */
addEventListener("message", ({ source, data }: MessageEvent<{ theme?: unknown } | null>) => {
  const told = data?.theme;
  if (source !== window && source === parent && isTheme(told)) choose(told);
});
system.addEventListener("change", tell);

/** The button that switches; the choice lasts as long as the browser's tab. */
export function themeSwitch(): HTMLButtonElement {
  const stored = recall();
  if (stored) root.dataset.theme ??= stored;
  const button = makeButton(
    "",
    () => {
      const next = theme() === "dark" ? "light" : "dark";
      remember(next);
      choose(next);
    },
    { class: "quiet theme" },
  );
  const show = () => {
    const dark = theme() === "dark";
    button.textContent = dark ? "☀" : "☾";
    button.setAttribute("aria-label", dark ? "Switch to light colours" : "Switch to dark colours");
    button.title = dark ? "Light colours" : "Dark colours";
  };
  document.addEventListener("themechange", show);
  show();
  return button;
}

function choose(chosen: Theme): void {
  root.dataset.theme = chosen;
  tell();
}

function tell(): void {
  document.dispatchEvent(new Event("themechange"));
}

function isTheme(name: unknown): name is Theme {
  return name === "light" || name === "dark";
}

export function theme(): Theme {
  const chosen = root.dataset.theme;
  if (isTheme(chosen)) return chosen;
  return system.matches ? "dark" : "light";
}

/** The colour, `#rrggbb`, that a token of page.css has in the theme of now. */
export function token(name: string): string {
  const written = getComputedStyle(root).getPropertyValue(`--${name}`);
  const [light = "", dark = light] = written.match(/#[0-9a-f]{6}/gi) ?? [];
  return theme() === "dark" ? dark : light;
}

/** A sandboxed frame refuses storage; the choice then lasts as long as the page. */
function recall(): Theme | null {
  try {
    const value = sessionStorage.getItem(KEY);
    return isTheme(value) ? value : null;
  } catch {
    return null;
  }
}

function remember(value: Theme): void {
  try {
    sessionStorage.setItem(KEY, value);
  } catch {
    return;
  }
}
