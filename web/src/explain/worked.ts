/** Numbers to pick from, and a formula worked out for the one that is picked. */

import type { Values } from "../shared/arrays";
import { flatOf, indexOf, sizeOf } from "../shared/arrays";
import { make, makeButton } from "../shared/dom";
import { HeatMap } from "../shared/heatmap";
import { brief, element as elementText, indexText } from "../shared/numbers";
import type { Evaluator, Index } from "./evaluate";
import { aligned } from "./evaluate";
import { Substitution } from "./substitute";
import type { Contribution, Formula } from "./types";

const FEW = 12;
const MAP = { width: 330, height: 190 };

/** All numbers of an array; the reader picks one by pointer or keys. */
export function arrayView(
  values: Values,
  label: string,
  pick: (flat: number) => void,
): HTMLElement {
  const first = mostTelling(values);
  if (sizeOf(values.shape) === 0) return make("p.muted", {}, "no elements");
  if (sizeOf(values.shape) <= FEW) return few(values, label, first, pick);
  const map = new HeatMap(values, { ...MAP, label, pick });
  map.select(first);
  pick(first);
  return map.element;
}

function few(
  values: Values,
  label: string,
  first: number,
  pick: (flat: number) => void,
): HTMLElement {
  const isMatrix = values.shape.length === 2 && values.shape[1] !== 1;
  const grid = make(isMatrix ? "div.picks.matrix" : "div.picks", {
    role: "group",
    "aria-label": label,
  });
  if (isMatrix) grid.style.gridTemplateColumns = `repeat(${values.shape.at(-1)}, max-content)`;
  const buttons = Array.from({ length: sizeOf(values.shape) }, (_, flat) => {
    const number = elementText(values.data[flat]!, values.dtype, "exact");
    const index = indexText(indexOf(flat, values.shape));
    const button = makeButton(number, () => choose(flat), {
      class: "pick",
      "aria-label": index ? `${index}: ${number}` : number,
    });
    button.classList.toggle("odd", !Number.isFinite(values.data[flat]));
    return button;
  });
  const choose = (flat: number) => {
    buttons.forEach((each, at) => each.setAttribute("aria-pressed", String(at === flat)));
    pick(flat);
  };
  grid.append(...buttons);
  choose(first);
  return grid;
}

/** The element that is shown first: one that is not finite, else the largest. */
function mostTelling(values: Values): number {
  let best = 0,
    size = -1;
  for (let at = 0; at < values.data.length; at++) {
    const value = Math.abs(values.data[at]!);
    if (!Number.isFinite(value)) return at;
    if (value > size) [best, size] = [at, value];
  }
  return best;
}

/** Lines of an equation: the name, then each way to write its value. */
export function equation(name: string, ...lines: (string | null | undefined)[]): HTMLElement {
  const list = make("div.equation", {}, make("span.equation-name", {}, name));
  let before = "";
  for (const line of lines) {
    if (!line || line === before) continue;
    before = line;
    list.append(make("span.equals", {}, "="), make("span", {}, line));
  }
  return list;
}

export class Workings {
  private readonly substitution: Substitution;

  constructor(private readonly evaluator: Evaluator) {
    this.substitution = new Substitution(evaluator);
  }

  /** A formula's value at an element, worked out: names, numbers, result. */
  forward(formula: Formula | null, values: Values, flat: number): HTMLElement | null {
    const index = indexOf(flat, values.shape);
    const result = elementText(values.data[flat]!, values.dtype, "exact");
    const left = (formula?.left ?? "out") + indexText(index),
      tree = formula?.tree;
    if (!tree) return null;
    if (tree.k === "call") return equation(left, result);
    const { names, numbers } = this.substitution.at(tree, index);
    const lines = equation(left, names, numbers, result);
    return this.checked(lines, [this.evaluator.value(tree, index)], values.data[flat]!);
  }

  /** A contribution at an element of the input, summed where it was broadcast. */
  contribution(each: Contribution, values: Values, flat: number): HTMLElement | null {
    const index = indexOf(flat, values.shape);
    const result = elementText(values.data[flat]!, values.dtype, "exact");
    const left = (each.formula?.left ?? `∂L/∂${each.argument}`) + indexText(index);
    const tree = each.formula?.tree;
    if (!tree) return null;
    if (tree.k === "call") return equation(left, result);
    const raws = rawIndices(each, index, values.full);
    const { names, numbers } =
      raws.length === 1 ? this.substitution.at(tree, raws[0]!) : this.substitution.sum(tree, raws);
    const lines = equation(left, names, numbers, result);
    return this.checked(
      lines,
      raws.map((raw) => this.evaluator.value(tree, raw)),
      values.data[flat]!,
    );
  }

  /** Where the page's own arithmetic does not give the engine's number, it says so. */
  private checked(lines: HTMLElement, parts: (number | null)[], engine: number): HTMLElement {
    if (parts.includes(null)) return lines;
    const own = parts.reduce<number>((total, each) => total + each!, 0);
    const scale = parts.reduce<number>(
      (most, each) => Math.max(most, Math.abs(each!)),
      Math.abs(engine),
    );
    const same = Object.is(own, engine) || Math.abs(own - engine) <= 1e-3 * scale + 1e-30;
    if (same || !Number.isFinite(own) || !Number.isFinite(engine)) return lines;
    return make(
      "div",
      {},
      lines,
      make(
        "p.mismatch",
        {},
        `This page's own arithmetic gives ${brief(own)}: the formula shown is not all that ran.`,
      ),
    );
  }
}

/** The elements of the formula's result that make up an element of the contribution. */
export function rawIndices(each: Contribution, index: Index, shape: readonly number[]): number[][] {
  const raw = each.raw_shape;
  if (sizeOf(raw) === sizeOf(shape)) return [indexOf(flatOf(index, shape), raw)];
  if (each.stretched.length && raw.length < shape.length) {
    const dropped = shape.length - raw.length;
    const gone = new Set(each.stretched.slice(0, dropped));
    return [
      aligned(
        index.filter((_, dim) => !gone.has(dim)),
        raw,
      ),
    ];
  }
  const base = raw.map((length, dim) =>
    length === 1 ? 0 : (index[dim - (raw.length - shape.length)] ?? 0),
  );
  return each.summed.reduce<number[][]>(
    (all, dim) =>
      all.flatMap((one) =>
        Array.from({ length: raw[dim]! }, (_, at) =>
          one.map((old, here) => (here === dim ? at : old)),
        ),
      ),
    [base],
  );
}
