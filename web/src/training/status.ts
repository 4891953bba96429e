/** How the run stands, and while it goes on: how to see more of it. */

import { make, makeButton } from "../shared/dom";
import { secondsText } from "../shared/numbers";
import type { TrainingData } from "./page";

const LEAST = 2;
const MOST = 30;
/** So many epochs long nothing new: then the run may have ended without a word. */
const PATIENCE = 20;
const STALE = 60;

type State = TrainingData["state"];

export function statusOf(state: State): HTMLElement {
  const box = make("div", { class: `status ${state.kind}` });
  const told = make("p.told", { role: "status" }, state.told);
  box.append(told);
  if (state.kind !== "training") return box;
  const usual = state.seconds ?? 0;
  const age = (Date.now() - Date.parse(state.written)) / 1000;
  if (age > Math.max(STALE, PATIENCE * usual)) {
    box.append(make("p", {},
      "Nothing new has been written here for a while: the run may have ended without a word."));
    box.append(makeButton("Reload", () => location.reload()));
  } else {
    box.append(...reloading(Math.min(Math.max(usual, LEAST), MOST)));
  }
  return box;
}

/** What is remembered when the page is loaded anew. */
interface Remembered {
  /** Whether it loads itself anew. */
  live: boolean;
  scrolled: number;
}

/** The page loads itself anew, until a reader does something on it or asks it not to. */
function reloading(seconds: number): Node[] {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const box = make("input", { type: "checkbox", checked: remembered()?.live ?? !still });
  const label = make("label", {}, box, `Reload by itself every ${secondsText(seconds)}`);
  const note = make("span.muted");
  let timer = 0;
  const reload = () => {
    const state: Remembered = { live: box.checked, scrolled: scrollY };
    history.replaceState(state, "");
    location.reload();
  };
  const schedule = () => {
    clearTimeout(timer);
    if (box.checked) timer = setTimeout(reload, seconds * 1000);
    note.textContent = box.checked ? "" : "It waits, so that nothing you do here is lost.";
  };
  box.addEventListener("change", schedule);
  for (const kind of ["pointerdown", "keydown", "focusin"]) {
    document.addEventListener(kind, (event) => {
      if (event.target instanceof Node && label.contains(event.target)) return;
      box.checked = false;
      schedule();
    });
  }
  schedule();
  return [
    make("p", {}, "This page is written anew after each epoch; reload it to see more."),
    makeButton("Reload", reload),
    label,
    note,
  ];
}

function remembered(): Remembered | null {
  return history.state as Remembered | null;
}

/** Once the page is whole: goes where the reader was before it was loaded anew. */
export function scrollBack(): void {
  const scrolled = remembered()?.scrolled;
  if (scrolled) scrollTo({ top: scrolled, behavior: "instant" });
}
