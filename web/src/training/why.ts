/** One score looked at: what each pixel adds to it, and its gradient by the pixels. */

import { valuesOf } from "../shared/arrays";
import { make } from "../shared/dom";
import { HeatMap } from "../shared/heatmap";
import type { Scale } from "../shared/scale";
import type { Answer } from "./drawing";
import type { Model } from "./model";
import { PIXELS } from "./picture";
import { fixed } from "./scores";

const NOTHING = new Float64Array(PIXELS);
const SIZE = 252;

export class Why {
  readonly element: HTMLElement;
  private readonly added: HeatMap;
  private readonly gradient: HeatMap;
  private readonly titles = [make("h3"), make("h3")] as const;
  private readonly sum = make("p.sum");
  private readonly cut = make("p", { hidden: true },
    "The model ends in a ReLU, which cut this score off at 0: no pixel changes it a little.");
  /** What the part of a score is called that the pixels do not give. */
  private readonly biases: string;

  constructor(name: Model["name"]) {
    this.added = picture("What each pixel adds to the score");
    this.gradient = picture("The gradient of the score by the pixels");
    this.biases = name === "logistic" ? "bias" : "from the biases";
    const [exact, slope] = told(name);
    this.element = make("div.why", {},
      make("figure", {}, make("figcaption", {}, this.titles[0]), this.added.element,
        make("div.words", {}, this.sum, make("p.muted", {}, exact), this.cut)),
      make("figure", {}, make("figcaption", {}, this.titles[1]), this.gradient.element,
        make("div.words", {}, make("p.muted", {}, slope))));
  }

  show(answer: Answer | null, digit: number | null): void {
    const of = digit === null ? "a digit" : String(digit);
    this.titles[0].textContent = `What each pixel adds to the score of ${of}`;
    this.titles[1].textContent = `Gradient of the score of ${of} by the pixels`;
    const at = answer && digit !== null ? { answer, digit } : null;
    const contributions = at?.answer.contributions[at.digit] ?? NOTHING;
    paint(this.added, contributions);
    paint(this.gradient, at?.answer.derivations[at.digit]!.gradient ?? NOTHING);
    this.cut.hidden = !at || at.answer.scores[at.digit] !== 0;
    this.sum.replaceChildren(...(at ? sumOf(at.answer, at.digit, this.biases) : ["\u00a0"]));
  }
}

/** In words that fit the model: what the two pictures are. */
function told(name: Model["name"]): [string, string] {
  if (name === "logistic") {
    return [
      "Weight × pixel, w · x. The model is a sum, so this is the whole of the score, exactly.",
      "In this model it is the weights of the digit, whatever is drawn: ink on orange raises the "
      + "score, ink on blue lowers it.",
    ];
  }
  return [
    "Gradient × pixel. With ReLU the model is a sum as long as the same units are on; for this "
    + "very drawing these numbers and the biases of the units that are on give the score. Another "
    + "drawing switches other units.",
    "How much the score changes as a pixel gets more ink, for this very drawing: orange raises "
    + "the score, blue lowers it.",
  ];
}

function sumOf(answer: Answer, digit: number, biases: string): Node[] {
  const { bias } = answer.derivations[digit]!;
  const pixels = answer.contributions[digit]!.reduce((sum, each) => sum + each, 0);
  const term = (text: string, name: string) => (
    make("span.term", {}, make("b", {}, text), ` ${name}`)
  );
  const sign = bias < 0 ? "\u2212" : "+";
  return [
    term(fixed(pixels, 4), "the picture’s sum"), document.createTextNode(` ${sign} `),
    term(fixed(Math.abs(bias), 4), biases), document.createTextNode(" = "),
    term(fixed(answer.scores[digit]!, 4), `score of ${digit}`),
  ];
}

function picture(label: string): HeatMap {
  return new HeatMap(valuesOf(NOTHING, [28, 28]), { label, width: SIZE, height: SIZE });
}

function paint(map: HeatMap, numbers: Float64Array): void {
  const values = valuesOf(numbers, [28, 28]);
  const most = Math.max(Math.abs(values.min ?? 0), Math.abs(values.max ?? 0)) || 1;
  const scale: Scale = { kind: "diverging", low: -most, high: most };
  map.show(values, scale);
}
