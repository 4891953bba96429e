/** What happens at this step: the formula, then the numbers in it. */

import type { Values } from "../shared/arrays";
import { bytesOf, indexOf, sizeOf } from "../shared/arrays";
import { make, makeButton } from "../shared/dom";
import {
  brief,
  bytesText,
  element as elementText,
  exact,
  indexText,
  plural,
  secondsText,
  shapeText,
} from "../shared/numbers";
import { broadcastDrawing, broadcastWords } from "./broadcast";
import { Evaluator } from "./evaluate";
import { formulaElement } from "./mathml";
import { nodeDetails } from "./details";
import type { State } from "./state";
import type {
  AccumulateStep,
  BackwardStep,
  Contribution,
  Formula,
  GraphNode,
  Step,
  Tree,
} from "./types";
import { arrayView, equation, Workings } from "./worked";

const MOST = 6,
  LINE = 36;
const PHASES = { forward: "forward", backward: "backward", accumulate: "backward" };

export class Panel {
  readonly element = make("section.panel", { "aria-label": "This step", tabindex: 0 });
  private readonly workings: Workings;

  constructor(private readonly state: State) {
    this.workings = new Workings(new Evaluator(state.pass.values));
    state.listen((change) => {
      if (change !== "boxes") this.show();
    });
    this.show();
  }

  private show(): void {
    const { state } = this;
    const { current, selected } = state;
    const isOther = selected !== null && selected !== current.node;
    const children = isOther
      ? [this.backToStep(), nodeDetails(state, selected)]
      : [this.heading(current), ...this.body(current), nodeDetails(state, current.node)];
    this.element.replaceChildren(...children);
    this.element.scrollTop = 0;
  }

  private backToStep(): HTMLElement {
    const { state } = this;
    return makeButton(`← Back to step ${state.step + 1}`, () => state.select(null), { class: "quiet" });
  }

  private heading(step: Step): HTMLElement {
    const node = this.state.pass.node(step.node);
    const phase = PHASES[step.phase];
    const figures = [step.seconds === null ? "" : secondsText(step.seconds)];
    if (step.bytes) figures.push(bytesText(step.bytes));
    return make(
      "header.step-head",
      {},
      make(`p.phase.${phase}`, {}, step.phase === "accumulate" ? "accumulate" : phase),
      make("h2", {}, ...titleOf(step, node)),
      make("p.muted.figures", {}, figures.filter(Boolean).join(" · ")),
    );
  }

  private body(step: Step): HTMLElement[] {
    const node = this.state.pass.node(step.node);
    switch (step.phase) {
      case "forward":
        return this.forward(node);
      case "backward":
        return this.backward(step, node);
      default:
        return this.accumulate(step, node);
    }
  }

  private forward(node: GraphNode): HTMLElement[] {
    const values = this.state.pass.array(node.value);
    const section = make(
      "section.block",
      {},
      ...this.formula(node.formula, node, shapeText(node.shape)),
    );
    if (!node.formula) section.append(make("p.formula", {}, node.says ?? node.op ?? ""));
    if (values) {
      section.append(
        ...this.picker(values, `value of ${node.name ?? "out"}`, (flat) =>
          this.workings.forward(node.formula, values, flat),
        ),
      );
    }
    if (node.saves.length) section.append(this.saved(node));
    return [section];
  }

  /** What the way back will need, and how much of it there is. */
  private saved(node: GraphNode): HTMLElement {
    const { pass } = this.state;
    const items = node.saves.map((each) => {
      const values = pass.array(each.array);
      const name = each.node === null || each.node === node.id ? "" : ` = ${pass.title(each.node)}`;
      const size = values
        ? ` ${shapeText(values.full)}, ${bytesText(sizeOf(values.full) * bytesOf(values.dtype))}`
        : "";
      return make("li", {}, make("code", {}, each.name), `${name}${size}`);
    });
    return make(
      "div.saved",
      {},
      make("h3", {}, "Saved for the way back"),
      make("ul", {}, ...items),
    );
  }

  /** A formula, and what stands for its letters. */
  private formula(formula: Formula | null, node: GraphNode, shape: string): HTMLElement[] {
    if (!formula) return [];
    const letters = make("dl.letters");
    for (const [letter, argument] of lettersOf(formula)) {
      const input = node.inputs.find((each) => each.argument === argument)?.node;
      const from = argument === "out" ? node.id : input;
      const name = from === undefined ? "the gradient that arrives" : this.state.pass.title(from);
      const own = shapeText(from === undefined ? node.shape : this.state.pass.node(from).shape);
      letters.append(
        make("dt", {}, letter),
        make(
          "dd",
          {},
          from === undefined
            ? name
            : makeButton(name, () => this.state.select(from), { class: "link" }),
          ` ${own}`,
        ),
      );
    }
    letters.append(make("dt", {}, formula.left), make("dd", {}, shape));
    const isSentence = formula.text.length > LINE && formula.mathml.includes("<mtext");
    return [
      isSentence
        ? make("p.formula.words", {}, formula.text)
        : make("p.formula", { tabindex: 0 }, formulaElement(formula.mathml, formula.text)),
      letters,
    ];
  }

  private backward(step: BackwardStep, node: GraphNode): HTMLElement[] {
    const { pass } = this.state;
    const gradient = pass.array(step.gradient);
    const blocks = step.contributions.map((each) => this.contribution(each, node));
    const arrived = make("section.block", {}, make("h3", {}, this.whence(node.id)));
    if (gradient) {
      arrived.append(
        ...this.picker(gradient, "gradient that arrives", (flat) =>
          this.sumOfArrivals(
            node.id,
            gradientName(pass.title(node.id), gradient, flat),
            flat,
            textAt(gradient, flat),
          ),
        ),
      );
    }
    if (step.frees.length) {
      blocks.push(
        make(
          "section.block.freed",
          {},
          make("h3", {}, "Let go"),
          make("p", {}, `${step.frees.join(", ")}: saved for this step, no longer needed.`),
        ),
      );
    }
    return [arrived, ...blocks];
  }

  private whence(node: number): string {
    const { pass } = this.state;
    const from = pass.arrivals[node]!.map((each) => pass.title(each.from));
    return from.length
      ? `g, the gradient that arrives from ${from.join(" and ")}`
      : "g, the gradient that the pass begins with";
  }

  /** An element of a gradient: each contribution to it so far, then their sum. */
  private sumOfArrivals(
    node: number,
    name: string,
    flat: number,
    last: string | null,
  ): HTMLElement | null {
    const { pass, step } = this.state;
    const arrivals = pass.arrivals[node]!.filter((each) => each.step <= step);
    if (arrivals.length < 2) return null;
    const parts = arrivals.map((each) => pass.array(each.contribution.array)?.data[flat] ?? null);
    const known = parts.filter((each) => each !== null);
    const total = last ?? brief(known.reduce((sum, each) => sum + each, 0));
    const names = arrivals.map((each) => `from ${pass.title(each.from)}`);
    return equation(
      name,
      sumText(names),
      sumText(parts.map((each) => (each === null ? "…" : exact(each)))),
      total,
    );
  }

  private contribution(each: Contribution, node: GraphNode): HTMLElement {
    const { pass } = this.state;
    const to = pass.node(each.to);
    const name = pass.title(each.to);
    const heading = make(
      "h3",
      {},
      "To ",
      makeButton(pass.title(each.to), () => this.state.select(each.to), { class: "link" }),
      ` (${each.argument})`,
    );
    const section = make(
      "section.block.contribution",
      { "data-to": each.to, "data-argument": each.argument },
      heading,
    );
    const raw = shapeText(each.raw_shape),
      shape = shapeText(to.shape);
    section.append(
      ...this.formula(each.formula, node, raw === shape ? shape : `${raw} → ${shape}`),
    );
    const words = broadcastWords(each, to.shape);
    if (words) section.append(make("p", {}, words), broadcastDrawing(each, to.shape)!);
    const values = pass.array(each.array);
    if (values) {
      section.append(
        ...this.picker(values, `contribution to ${name}`, (flat) =>
          make(
            "div.workings",
            {},
            this.workings.contribution(each, values, flat),
            this.soFar(each.to, values, flat),
          ),
        ),
      );
    }
    return section;
  }

  /** Where more than one contribution goes to a node, their sum up to now. */
  private soFar(node: number, values: Values, flat: number): HTMLElement | null {
    const { pass, step } = this.state;
    const [arrived, all] = pass.arrived(node, step);
    if (all < 2) return null;
    const gradient = arrived === all ? pass.array(pass.node(node).gradient?.array) : null;
    const name = gradientName(pass.title(node), values, flat);
    return this.sumOfArrivals(
      node,
      `${name}, ${arrived} of ${plural(all, "contribution")}`,
      flat,
      gradient ? textAt(gradient, flat) : null,
    );
  }

  private accumulate(step: AccumulateStep, node: GraphNode): HTMLElement[] {
    const { pass } = this.state;
    const after = pass.array(step.array),
      before = pass.array(step.before);
    const gradient = pass.array(node.gradient?.array);
    const name = `${pass.title(node.id)}.grad`;
    const section = make("section.block", {}, make("h3", {}, `${name} holds`));
    if (!after) return [section];
    section.append(
      ...this.picker(after, name, (flat) => {
        const left = name + indexText(indexOf(flat, after.shape));
        if (!before) return this.sumOfArrivals(node.id, left, flat, textAt(after, flat));
        const added = gradient ? textAt(gradient, flat) : "…";
        return equation(
          left,
          `what it held + ∂L/∂${pass.title(node.id)}`,
          sumText([textAt(before, flat), added]),
          textAt(after, flat),
        );
      }),
    );
    section.append(
      make(
        "p.muted",
        {},
        before
          ? "What was in .grad before stays: gradients add up until zero_grad() clears them."
          : ".grad was None: the gradient itself is stored.",
      ),
    );
    return [section];
  }

  /** An array to pick from, and what is worked out for the element picked. */
  private picker(
    values: Values,
    label: string,
    work: (flat: number) => HTMLElement | null,
  ): HTMLElement[] {
    const result = make("div.worked", { "aria-live": "polite" });
    const view = arrayView(values, label, (flat) =>
      result.replaceChildren(...[work(flat) ?? []].flat()),
    );
    return [view, result];
  }
}

/** What runs, and the variable that it makes or changes. */
function titleOf(step: Step, node: GraphNode): (string | HTMLElement)[] {
  if (step.phase === "accumulate")
    return [make("code", {}, `${node.name ?? `node ${node.id}`}.grad`)];
  const ran = (step.phase === "backward" ? node.grad_fn : null) ?? node.op ?? node.kind;
  return node.name ? [`${ran} `, make("code", {}, node.name)] : [ran];
}

/** The letters of a formula, and the argument that each stands for. */
function lettersOf(formula: Formula): Map<string, string> {
  const letters = new Map<string, string>();
  const walk = (tree: Tree) => {
    if (tree.k === "value") letters.set(tree.name, tree.argument ?? tree.name);
    for (const each of Object.values(tree)) {
      const parts: unknown[] = Array.isArray(each) ? each : [each];
      parts
        .filter((part): part is Tree => typeof part === "object" && part !== null && "k" in part)
        .forEach(walk);
    }
  };
  if (formula.tree) walk(formula.tree);
  return letters;
}

function gradientName(name: string, values: Values, flat: number): string {
  return `∂L/∂${name}${indexText(indexOf(flat, values.shape))}`;
}

function textAt(values: Values, flat: number): string {
  return elementText(values.data[flat]!, values.dtype, "exact");
}

/** Terms added up; of many the first and the last. */
function sumText(terms: string[]): string {
  const shown = terms.length > MOST ? [...terms.slice(0, 3), "…", ...terms.slice(-2)] : terms;
  return shown.reduce((text, each) =>
    each.startsWith("−") ? `${text} − ${each.slice(1)}` : `${text} + ${each}`,
  );
}
