/** The first layer's weights and their gradients as training goes on: a scrub bar over moments. */

import { valuesOf, type Values } from "../shared/arrays";
import { make, makeButton } from "../shared/dom";
import { HeatMap } from "../shared/heatmap";
import { brief, countText, shapeText } from "../shared/numbers";
import type { Scale } from "../shared/scale";
import { unpacked } from "./model";
import type { Moments } from "./page";

const ZERO = 128;
const PLAY = 350;
const THUMB = 84;
const LARGE = 252;

/** The two pictures of a digit, a unit or a filter. */
interface Pair {
  weights: HeatMap;
  gradients: HeatMap;
}

export async function momentsSection(data: Moments | null): Promise<HTMLElement> {
  const section = make("section.card", { "aria-labelledby": "weights" },
    make("h2", { id: "weights" }, "Weights and their gradients, as they change"));
  if (!data) {
    section.append(make("p.muted", {}, "None were kept: they were not finite."));
    return section;
  }
  const view = new View(data, await unpacked(data.weights), await unpacked(data.gradients));
  section.append(make("p.muted", {}, whatTheyAre(data)), ...view.elements);
  return section;
}

function whatTheyAre({ parameter, of, titles, digits }: Moments): string {
  const shape = shapeText(of), all = of.length === 2 && of[0] === 784 ? 10 : of[0]!;
  const some = titles.length < all ? `, ${titles.length} of ${all}` : "";
  return `The model’s ${parameter}, ${shape}, as pictures${some}; beneath each the gradient of the `
    + `loss over the same ${countText(digits)} training digits. A step moves the weights against `
    + "the gradient. Numbers are kept to 1/127 of the largest.";
}

class View {
  readonly elements: HTMLElement[];
  private readonly scrub: HTMLInputElement;
  private readonly play: HTMLButtonElement;
  private readonly when = make("p.when", { role: "status" });
  private readonly thumbs: (Pair & { button: HTMLButtonElement })[];
  private readonly large: Pair;
  private readonly largeTitles = [make("h3"), make("h3")] as const;
  private readonly size: number;
  private at: number;
  private chosen = 0;
  private timer = 0;

  constructor(
    private readonly data: Moments,
    private readonly weights: ArrayLike<number>, private readonly gradients: ArrayLike<number>,
  ) {
    this.size = weights.length / data.steps.length / data.titles.length;
    this.at = data.steps.length - 1;
    this.scrub = make("input", {
      type: "range", min: 0, max: this.at, step: 1, "aria-label": "Moment of the training",
    });
    this.scrub.value = String(this.at);
    this.scrub.addEventListener("input", () => this.go(Number(this.scrub.value)));
    this.play = makeButton("Play", () => this.toggle());
    this.thumbs = data.titles.map((title, which) => this.thumb(title, which));
    this.large = {
      weights: this.picture("Weights", LARGE, true),
      gradients: this.picture("Gradient", LARGE, true),
    };
    const figures = [this.large.weights, this.large.gradients].map((picture, at) => (
      make("figure", {}, make("figcaption", {}, this.largeTitles[at]), picture.element)
    ));
    this.elements = [
      make("div.scrub", {}, this.play, this.scrub, this.when),
      make("div.thumbs", {}, ...this.thumbs.map(({ button }) => button)),
      make("div.pair", {}, ...figures),
    ];
    this.show();
  }

  private thumb(title: string, which: number) {
    const pair = {
      weights: this.picture(`Weights of ${title}`, THUMB, false),
      gradients: this.picture(`Gradient of ${title}`, THUMB, false),
    };
    const button = makeButton(title, () => {
      this.chosen = which;
      this.show();
    }, { class: "weight", "aria-pressed": "false" });
    button.append(pair.weights.element, pair.gradients.element);
    return { ...pair, button };
  }

  private picture(label: string, size: number, reads: boolean): HeatMap {
    const side = Math.sqrt(this.size);
    return new HeatMap(valuesOf(new Float32Array(this.size), [side, side]), {
      label, width: size, height: size, reads, legend: reads, cell: size,
    });
  }

  private toggle(): void {
    if (this.timer) return this.stop();
    this.play.textContent = "Pause";
    if (this.at === this.data.steps.length - 1) this.at = -1;
    this.timer = setInterval(() => {
      this.scrub.value = String(this.at + 1);
      this.show(this.at + 1);
      if (this.at === this.data.steps.length - 1) this.stop();
    }, PLAY);
  }

  private stop(): void {
    clearInterval(this.timer);
    this.timer = 0;
    this.play.textContent = "Play";
  }

  private go(at: number): void {
    this.stop();
    this.show(at);
  }

  private show(at = this.at): void {
    const { data } = this;
    this.at = at;
    const weight = scale(data.weight_scale), gradient = scale(data.gradient_scales[at]!);
    const step = data.steps[at]!, epoch = data.epochs[at]!.toFixed(2);
    const place = step ? `After step ${countText(step)}` : "Before the first step";
    this.when.textContent = `${place}, epoch ${epoch}: loss ${brief(data.losses[at]!)}`;
    this.scrub.setAttribute("aria-valuetext", this.when.textContent);
    this.thumbs.forEach(({ weights, gradients, button }, which) => {
      weights.show(this.values(this.weights, which, weight.high), weight);
      gradients.show(this.values(this.gradients, which, gradient.high), gradient);
      button.setAttribute("aria-pressed", String(which === this.chosen));
    });
    const title = data.titles[this.chosen]!;
    this.largeTitles[0].textContent = `Weights of ${title}`;
    this.largeTitles[1].textContent = `Gradient of the loss by the weights of ${title}`;
    this.large.weights.show(this.values(this.weights, this.chosen, weight.high), weight);
    this.large.gradients.show(this.values(this.gradients, this.chosen, gradient.high), gradient);
  }

  /** One picture at the moment, in numbers again. */
  private values(bytes: ArrayLike<number>, which: number, most: number): Values {
    const start = (this.at * this.data.titles.length + which) * this.size;
    const numbers = Float32Array.from({ length: this.size }, (_, at) => (
      Number((((bytes[start + at]! - ZERO) / 127) * most).toPrecision(3))
    ));
    const side = Math.sqrt(this.size);
    return valuesOf(numbers, [side, side]);
  }
}

function scale(most: number): Scale {
  return { kind: "diverging", low: -most, high: most };
}
