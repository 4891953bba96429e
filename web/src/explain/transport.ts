/** Forward and backward one step at a time: buttons, keys, the scrub bar, links to a step. */

import { make, makeButton, makeSvg } from "../shared/dom";
import type { Pass } from "./pass";
import type { State } from "./state";
import type { Step } from "./types";

const SPEEDS = [
  ["slow", 2200],
  ["normal", 1000],
  ["fast", 300],
] as const;

const ICONS = {
  first: "M4 3v10M13 3L6 8l7 5z",
  back: "M11 3L4 8l7 5z",
  play: "M4 2.5L13 8 4 13.5z",
  pause: "M5 3v10M11 3v10",
  next: "M5 3l7 5-7 5z",
  last: "M12 3v10M3 3l7 5-7 5z",
};

export class Transport {
  readonly element: HTMLElement;
  private readonly play: HTMLButtonElement;
  private readonly scrub: HTMLInputElement;
  private readonly place = make("p.place");
  private readonly live = make("p.out-of-sight", { role: "status" });
  private readonly speed: HTMLSelectElement;
  private timer = 0;

  constructor(private readonly state: State) {
    this.play = makeButton(null, () => this.toggle(), { class: "play" });
    this.scrub = make("input.scrub", {
      type: "range",
      min: 0,
      max: state.last,
      step: 1,
      "aria-label": "Step of the pass",
    });
    this.speed = make(
      "select",
      { "aria-label": "Speed" },
      ...SPEEDS.map(([name, pause]) => make("option", { value: pause }, name)),
    );
    this.speed.value = String(SPEEDS[1][1]);
    this.element = make(
      "section.transport",
      { "aria-label": "Steps" },
      this.buttons(),
      this.scrub,
      this.place,
      make("p.hint.muted", {}, "← → step, space plays"),
      this.live,
    );
    this.scrub.addEventListener("input", () => {
      const step = Number(this.scrub.value);
      this.stop();
      state.goTo(step);
    });
    this.colourPhases();
    this.listen();
    this.show();
  }

  private buttons(): HTMLElement {
    const { state } = this;
    const go = (drawn: string, label: string, key: string, step: () => number) => {
      const act = () => {
        this.stop();
        state.goTo(step());
      };
      return makeButton(icon(drawn), act, { "aria-label": label, title: `${label} (${key})` });
    };
    return make(
      "div.buttons",
      {},
      go(ICONS.first, "First step", "Home", () => 0),
      go(ICONS.back, "Step back", "←", () => state.step - 1),
      this.play,
      go(ICONS.next, "Next step", "→", () => state.step + 1),
      go(ICONS.last, "Last step", "End", () => state.last),
      this.speed,
    );
  }

  private listen(): void {
    document.addEventListener("keydown", (event) => this.key(event));
    addEventListener("hashchange", () => this.readHash());
    this.state.listen((change) => {
      if (change !== "step") return;
      this.show();
      this.live.textContent = sentence(this.state.pass, this.state.current);
      writeHash(this.state.step);
    });
  }

  /** Goes to the step that the page's address names: `#step=12`, counted from 1. */
  readHash(): void {
    const step = /^#step=(\d+)$/.exec(location.hash)?.[1];
    if (step !== undefined) this.state.goTo(Number(step) - 1);
  }

  private key(event: KeyboardEvent): void {
    const target = event.target as Element;
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    if (target.closest("input, select, textarea") && target !== this.scrub) return;
    const { state } = this;
    const acts: Record<string, () => void> = {
      ArrowRight: () => state.goTo(state.step + 1),
      ArrowLeft: () => state.goTo(state.step - 1),
      Home: () => state.goTo(0),
      End: () => state.goTo(state.last),
    };
    const act = acts[event.key];
    if (act) {
      this.stop();
      act();
    } else if (event.key === " " && !target.closest("button, a, summary")) this.toggle();
    else return;
    event.preventDefault();
  }

  private toggle(): void {
    if (this.timer) return this.stop();
    if (this.state.step === this.state.last) this.state.goTo(0);
    this.tick();
    this.show();
  }

  private tick(): void {
    this.timer = window.setTimeout(() => {
      this.state.goTo(this.state.step + 1);
      if (this.state.step === this.state.last) this.stop();
      else this.tick();
    }, Number(this.speed.value));
  }

  private stop(): void {
    clearTimeout(this.timer);
    this.timer = 0;
    this.show();
  }

  private show(): void {
    const { state } = this;
    const playing = this.timer !== 0;
    this.play.replaceChildren(icon(playing ? ICONS.pause : ICONS.play));
    this.play.setAttribute("aria-label", playing ? "Pause" : "Play");
    this.play.title = playing ? "Pause (space)" : "Play (space)";
    this.scrub.value = String(state.step);
    this.scrub.setAttribute("aria-valuetext", sentence(state.pass, state.current));
    this.place.textContent = `${state.step + 1} of ${state.last + 1}`;
  }

  /** The bar bears the colours of the two directions. */
  private colourPhases(): void {
    const { steps } = this.state.pass;
    const forward = steps.filter((each) => each.phase === "forward").length;
    const share = `${((forward - 0.5) / Math.max(1, steps.length - 1)) * 100}%`;
    this.scrub.style.setProperty("--turn", share);
  }
}

function icon(drawn: string): SVGSVGElement {
  return makeSvg(
    "svg",
    { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true" },
    makeSvg("path", { d: drawn }),
  );
}

/** The step in a sentence, for the ear. */
export function sentence(pass: Pass, step: Step): string {
  const where = `Step ${step.number + 1} of ${pass.steps.length}`;
  const name = pass.title(step.node);
  if (step.phase === "forward") return `${where}, forward: ${name}`;
  if (step.phase === "accumulate") return `${where}: the gradient of ${name} is added to its .grad`;
  const to = step.contributions.map((each) => pass.title(each.to)).join(" and ");
  return `${where}, backward through ${name}${to && `: gradients go to ${to}`}`;
}

/** A frame without an address of its own refuses; the step is then in the page only. */
function writeHash(step: number): void {
  try {
    history.replaceState(null, "", `#step=${step + 1}`);
  } catch {
    return;
  }
}
