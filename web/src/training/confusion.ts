/** What the model takes for what, and the worst of its mistakes as pictures. */

import { valuesOf } from "../shared/arrays";
import { make, makeButton } from "../shared/dom";
import { HeatMap } from "../shared/heatmap";
import { countText, plural } from "../shared/numbers";
import { colours, stepOf, type Scale } from "../shared/scale";
import { unpacked } from "./model";
import type { Sample } from "./pad";
import type { Confusion, TrainingData } from "./page";
import { PIXELS } from "./picture";
import { percent } from "./scores";

const DIGITS = [...Array(10).keys()];
const MOVES: Record<string, [number, number]> = {
  ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0],
};
const INK: Scale = { kind: "ink", low: 0, high: 1 };

export async function confusionSection(
  data: TrainingData, show: (sample: Sample) => void,
): Promise<HTMLElement> {
  const section = make("section.card", { "aria-labelledby": "mistakes" },
    make("h2", { id: "mistakes" }, "What it takes for what"));
  if (!data.confusion) {
    section.append(make("p.muted", {}, "No epoch has been completed."));
    return section;
  }
  const mistakes = new Mistakes(data.confusion, await unpacked(data.confusion.pictures), show);
  section.append(
    make("p.muted", {}, `Of the ${countText(data.data.valid)} validation digits. Choose a count to `
      + "see the worst of these mistakes."),
    make("div.mistakes", {},
      tableOf(data.confusion, (digit, taken) => mistakes.show(digit, taken)), mistakes.element),
  );
  return section;
}

function tableOf(
  { counts }: Confusion, choose: (digit: number, taken: number) => void,
): HTMLElement {
  const most = Math.max(...DIGITS.flatMap((row) => DIGITS.map((column) => (
    row === column ? 0 : counts[row]![column]!
  ))), 1);
  const cells = DIGITS.map((digit) => DIGITS.map((taken) => {
    const count = counts[digit]![taken]!;
    const [kind, told] = digit === taken
      ? ["right", `${digit} told right: ${count}`]
      : ["wrong", `${digit} taken for ${taken}: ${count}`];
    return makeButton(count ? String(count) : "·", () => pick(digit, taken), {
      tabindex: -1, class: kind, "aria-label": told,
    });
  }));
  let current = cells[0]![0]!;
  const focus = (digit: number, taken: number) => {
    current.tabIndex = -1;
    current = cells[digit]![taken]!;
    current.tabIndex = 0;
  };
  const pick = (digit: number, taken: number) => {
    cells.flat().forEach((each) => each.setAttribute("aria-pressed", "false"));
    focus(digit, taken);
    current.setAttribute("aria-pressed", "true");
    choose(digit, taken);
  };
  const table = make("table.confusion", {},
    make("caption.muted", {}, "Rows: the digit. Columns: what it was taken for."),
    make("thead", {}, make("tr", {}, make("td"), ...DIGITS.map((each) => (
      make("th", { scope: "col" }, String(each))
    )))),
    make("tbody", {}, ...DIGITS.map((digit) => make("tr", {},
      make("th", { scope: "row" }, String(digit)),
      ...cells[digit]!.map((button) => make("td", {}, button))))));
  table.addEventListener("keydown", (event) => {
    const move = MOVES[event.key];
    if (!move) return;
    const at = cells.flat().indexOf(event.target as HTMLButtonElement);
    if (at < 0) return;
    event.preventDefault();
    focus(bounded(Math.floor(at / 10) + move[0]), bounded((at % 10) + move[1]));
    current.focus();
  });
  const shade = () => shadeCells(cells, counts, most);
  document.addEventListener("themechange", shade);
  shade();
  const [digit, taken] = worst(counts);
  pick(digit, taken);
  return table;
}

/** The mistake that is made most often. */
function worst(counts: number[][]): [number, number] {
  const pairs = DIGITS.flatMap((digit) => DIGITS.map((taken): [number, number] => [digit, taken]));
  const count = ([digit, taken]: [number, number]) => counts[digit]![taken]!;
  return pairs.filter(([digit, taken]) => digit !== taken)
    .reduce((most, pair) => (count(pair) > count(most) ? pair : most));
}

/** Mistakes are the darker, the more there are; the writing keeps its contrast. */
function shadeCells(cells: HTMLButtonElement[][], counts: number[][], most: number): void {
  const scale: Scale = { kind: "diverging", low: -most, high: most };
  const table = colours(scale);
  cells.forEach((row, digit) => row.forEach((button, taken) => {
    if (digit === taken) return;
    const at = stepOf(scale, counts[digit]![taken]!) * 3;
    const colour = [table[at]!, table[at + 1]!, table[at + 2]!] as const;
    button.style.background = `rgb(${colour.join(" ")})`;
    button.style.color = luminance(colour) > 0.179 ? "#000000" : "#ffffff";
  }));
}

/** Source: WCAG 2.2, "relative luminance". */
function luminance(colour: readonly [number, number, number]): number {
  const [red, green, blue] = colour.map((each) => {
    const share = each / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function bounded(place: number): number {
  return Math.min(Math.max(place, 0), 9);
}

class Mistakes {
  readonly element = make("div.worst", { "aria-live": "polite" });

  constructor(
    private readonly data: Confusion, private readonly shades: ArrayLike<number>,
    private readonly load: (sample: Sample) => void,
  ) {}

  show(digit: number, taken: number): void {
    const count = this.data.counts[digit]![taken]!;
    if (digit === taken) {
      const all = this.data.counts[digit]!.reduce((sum, each) => sum + each, 0);
      this.element.replaceChildren(
        make("h3", {}, `${digit} told right`),
        make("p", {}, `${countText(count)} of ${plural(all, "digit")}.`));
      return;
    }
    const pictures = this.data.mistakes.flatMap((each, at) => (
      each.digit === digit && each.taken === taken ? [this.picture(at)] : []
    ));
    this.element.replaceChildren(
      make("h3", {}, `${digit} taken for ${taken}: ${plural(count, "time")}`),
      make("p.muted", {}, pictures.length
        ? "The worst of them. Choose one to see what the model makes of it." : "Never."),
      make("div.pictures", {}, ...pictures));
  }

  private picture(at: number): HTMLElement {
    const { digit, taken, shares } = this.data.mistakes[at]!;
    const pixels = Array.from({ length: PIXELS }, (_, pixel) => this.shades[at * PIXELS + pixel]!);
    const map = new HeatMap(valuesOf(pixels.map((shade) => shade / 256), [28, 28]), {
      label: `A ${digit} that was taken for ${taken}`, width: 84, height: 84, scale: INK,
      legend: false, reads: false,
    });
    const load = () => this.load({ label: digit, pixels });
    const button = makeButton(map.element, load, { class: "mistake" });
    for (const each of [taken, digit]) {
      button.append(make("span", {}, `${each}: ${percent(shares[each]!)}`));
    }
    return button;
  }
}
