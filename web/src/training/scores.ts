/** The ten scores as bars, each with the picture of what the pixels add to it. */

import { valuesOf } from "../shared/arrays";
import { make, makeButton } from "../shared/dom";
import { HeatMap } from "../shared/heatmap";
import { scaleOf } from "../shared/scale";
import type { Answer } from "./drawing";
import { PIXELS } from "./picture";

/** The least that a whole bar stands for: bars do not jump about while little is drawn. */
const WHOLE = 10;

interface Row {
  row: HTMLTableRowElement;
  button: HTMLButtonElement;
  thumb: HeatMap;
  bar: HTMLElement;
  score: HTMLElement;
  share: HTMLElement;
}

export class ScoreTable {
  readonly element: HTMLElement;
  private readonly rows: Row[];

  /** Calls `choose` with a digit that the reader wants to look at, or no longer. */
  constructor(choose: (digit: number) => void) {
    this.rows = Array.from({ length: 10 }, (_, digit) => rowOf(digit, choose));
    const head = [["digit"], ["pixels"], ["score", 2], ["sure"]].map(([name, colspan]) => (
      make("th", { scope: "col", colspan }, String(name))
    ));
    this.element = make("div.scores", {}, make("h3", {}, "Ten scores"),
      make("p.muted", {}, "A score is what the model computes; how sure it is, is the softmax of "
        + "the ten. Choose a digit to look at its score below."),
      make("table", {}, make("thead", {}, make("tr", {}, ...head)),
        make("tbody", {}, ...this.rows.map(({ row }) => row))));
  }

  show(answer: Answer | null, digit: number | null, chosen: boolean): void {
    const pictures = this.rows.map((_, at) => (
      valuesOf(answer?.contributions[at] ?? new Float64Array(PIXELS), [28, 28])
    ));
    const scale = { ...scaleOf(...pictures), kind: "diverging" as const };
    const most = Math.max(scale.high, -scale.low);
    Object.assign(scale, { low: -most, high: most });
    const whole = Math.max(WHOLE, ...(answer?.scores ?? []).map(Math.abs));
    this.rows.forEach(({ row, button, thumb, bar, score, share }, at) => {
      const value = answer?.scores[at] ?? 0;
      row.classList.toggle("looked-at", at === digit);
      button.setAttribute("aria-pressed", String(chosen && at === digit));
      thumb.show(pictures[at]!, scale);
      bar.style.left = `${50 + Math.min(value / whole, 0) * 50}%`;
      bar.style.width = `${(Math.abs(value) / whole) * 50}%`;
      bar.classList.toggle("below", value < 0);
      score.textContent = answer ? fixed(value) : "–";
      share.textContent = answer ? percent(answer.shares[at]!) : "–";
    });
  }
}

function rowOf(digit: number, choose: (digit: number) => void): Row {
  const button = makeButton(String(digit), () => choose(digit), {
    "aria-pressed": "false", "aria-label": `Look at the score of ${digit}`,
  });
  const thumb = new HeatMap(valuesOf(new Float64Array(PIXELS), [28, 28]), {
    label: `What each pixel adds to the score of ${digit}`, width: 56, height: 56,
    legend: false, reads: false,
  });
  const bar = make("span.bar"), score = make("td.number"), share = make("td.number");
  const row = make("tr", {},
    make("th", { scope: "row" }, button),
    make("td.thumb", {}, thumb.element),
    make("td.bars", { "aria-hidden": "true" }, make("span.track", {}, bar)), score, share);
  return { row, button, thumb, bar, score, share };
}

export function fixed(value: number, digits = 2): string {
  const text = value.toFixed(digits);
  return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "\u2212");
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
