/** The model at work on what is drawn: its scores, what each pixel adds to them, the gradient. */

import { valuesOf } from "../shared/arrays";
import { make } from "../shared/dom";
import { HeatMap } from "../shared/heatmap";
import type { Scale } from "../shared/scale";
import type { Derivation, Model } from "./model";
import { modelOf, probabilities, unpacked } from "./model";
import { Pad, type Sample } from "./pad";
import type { DrawingData } from "./page";
import { PIXELS } from "./picture";
import { percent, ScoreTable } from "./scores";
import { Why } from "./why";

const DIGITS = [...Array(10).keys()];
const SETTLED = 500;
const INK: Scale = { kind: "ink", low: 0, high: 1 };

/** What the model makes of a drawing. */
export interface Answer {
  pixels: Float64Array;
  scores: Float64Array;
  shares: Float64Array;
  /** How the score of each digit came about. */
  derivations: Derivation[];
  /** For each digit, what each pixel adds to its score: gradient × pixel. */
  contributions: Float64Array[];
}

interface Drawing {
  section: HTMLElement;
  /** Puts a picture on the canvas and brings it into view. */
  show: (sample: Sample) => void;
}

export async function drawingSection(data: DrawingData): Promise<Drawing> {
  const model = await modelOf(data.model);
  const shades = await unpacked(data.samples.pixels);
  const samples = data.samples.labels.map((label, at): Sample => ({
    label, pixels: Array.from({ length: PIXELS }, (_, pixel) => shades[at * PIXELS + pixel]!),
  }));
  const view = new View(model);
  const pad = new Pad(samples, (pixels) => view.show(pixels));
  const section = make("section.card", { "aria-labelledby": "draw" },
    make("h2", { id: "draw" }, "Draw a digit"),
    make("p.muted", {}, `It is read by ${data.source}, here in the page.`),
    make("div.bench", {}, pad.element, view.seen, view.table.element, view.why.element),
    view.numbers,
  );
  return {
    section,
    show(sample) {
      pad.load(sample);
      pad.focus();
      section.scrollIntoView({ block: "start" });
    },
  };
}

/** All that follows from a drawing. */
class View {
  readonly seen: HTMLElement;
  readonly table = new ScoreTable((digit) => this.choose(digit));
  readonly why: Why;
  readonly numbers: HTMLDetailsElement;
  private readonly picture: HeatMap;
  private readonly best = make("p.best");
  private readonly spoken = make("p.out-of-sight", { role: "status" });
  private readonly text = make("textarea", {
    readonly: true, rows: 8, spellcheck: "false", "aria-label": "The numbers as JSON",
  });
  /** The digit that the reader chose to look at; null is that of the highest score. */
  private chosen: number | null = null;
  private answer: Answer | null = null;
  private settled = 0;

  constructor(private readonly model: Model) {
    this.why = new Why(model.name);
    this.picture = new HeatMap(empty(), {
      label: "What the model sees", width: 168, height: 168, scale: INK, legend: false,
    });
    this.seen = make("div.seen", {}, make("h3", {}, "What the model sees"),
      this.picture.element, this.best, this.spoken);
    this.numbers = make("details", {}, make("summary", {}, "The numbers"),
      make("p.muted", {},
        "The pixels as the model sees them, the scores, and for the digit looked at the gradient "
        + "of its score and what each pixel adds to it, to be read by a program."),
      this.text);
    this.numbers.addEventListener("toggle", () => this.writeNumbers());
  }

  show(pixels: Float64Array | null): void {
    this.answer = pixels && answerOf(this.model, pixels);
    this.picture.show(pixels ? valuesOf(pixels, [28, 28]) : empty(), INK);
    this.update();
    this.tellBest();
    clearTimeout(this.settled);
    this.settled = setTimeout(() => { this.spoken.textContent = this.best.textContent; }, SETTLED);
  }

  private choose(digit: number): void {
    this.chosen = this.chosen === digit ? null : digit;
    this.update();
  }

  private update(): void {
    const digit = this.chosen ?? (this.answer ? best(this.answer) : null);
    this.table.show(this.answer, digit, this.chosen !== null);
    this.why.show(this.answer, digit);
    this.writeNumbers();
  }

  /** Spoken only once the pen rests: a screen reader does not hear every movement of it. */
  private tellBest(): void {
    const { answer } = this;
    this.best.textContent = answer
      ? `It sees a ${best(answer)}, ${percent(answer.shares[best(answer)]!)} sure.`
      : "Nothing is drawn yet.";
  }

  private writeNumbers(): void {
    if (!this.numbers.open) return;
    const { answer } = this;
    if (!answer) {
      this.text.value = "null";
      return;
    }
    const digit = this.chosen ?? best(answer);
    const { gradient, bias } = answer.derivations[digit]!;
    this.text.value = JSON.stringify({
      pixels: [...answer.pixels], scores: [...answer.scores], digit,
      gradient: [...gradient], contributions: [...answer.contributions[digit]!], bias,
    });
  }
}

function answerOf(model: Model, pixels: Float64Array): Answer {
  const scores = model.scores(pixels), derivations = model.derive(pixels, DIGITS);
  return {
    pixels, scores, derivations,
    shares: probabilities(scores),
    contributions: derivations.map(({ gradient }) => (
      gradient.map((each, at) => each * pixels[at]!)
    )),
  };
}

function best(answer: Answer): number {
  return answer.scores.indexOf(Math.max(...answer.scores));
}

function empty() {
  return valuesOf(new Float64Array(PIXELS), [28, 28]);
}
