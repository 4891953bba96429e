/** Light or dark: the system's choice, until the reader chooses. */

import { makeButton } from "./dom";

type Theme = "light" | "dark";

const KEY = "theme";
const system = matchMedia("(prefers-color-scheme: dark)");

/** The button that switches; the choice lasts as long as the browser's tab. */
export function themeSwitch(): HTMLButtonElement {
  const stored = recall();
  if (stored) document.documentElement.dataset.theme = stored;
  const button = makeButton(
    "",
    () => {
      const next = theme() === "dark" ? "light" : "dark";
      document.documentElement.dataset.theme = next;
      remember(next);
      changed();
    },
    { class: "quiet theme" },
  );
  const changed = () => {
    const dark = theme() === "dark";
    button.textContent = dark ? "☀" : "☾";
    button.setAttribute("aria-label", dark ? "Switch to light colours" : "Switch to dark colours");
    button.title = dark ? "Light colours" : "Dark colours";
    document.dispatchEvent(new Event("themechange"));
  };
  system.addEventListener("change", changed);
  changed();
  return button;
}

export function theme(): Theme {
  const chosen = document.documentElement.dataset.theme;
  if (chosen === "light" || chosen === "dark") return chosen;
  return system.matches ? "dark" : "light";
}

/** The colour, `#rrggbb`, that a token of page.css has in the theme of now. */
export function token(name: string): string {
  const written = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
  const [light = "", dark = light] = written.match(/#[0-9a-f]{6}/gi) ?? [];
  return theme() === "dark" ? dark : light;
}

/** A sandboxed frame refuses storage; the choice then lasts as long as the page. */
function recall(): Theme | null {
  try {
    const value = sessionStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : null;
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
