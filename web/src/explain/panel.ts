/** What happens at this step: the formula, then the numbers in it. */

import type { Values } from "../shared/arrays";
import { indexOf } from "../shared/arrays";
import { make, makeButton } from "../shared/dom";
import {
  bytesText, element as elementText, exact, indexText, plural, secondsText, shapeText,
} from "../shared/numbers";
import { broadcastDrawing, broadcastWords } from "./broadcast";
import { Evaluator } from "./evaluate";
import { formulaElement } from "./mathml";
import { nodeDetails } from "./details";
import type { State } from "./state";
import type { AccumulateStep, BackwardStep, Contribution, Formula, GraphNode, Step, Tree } from "./types";
import { arrayView, equation, Workings } from "./worked";

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
    return makeButton(`← Back to step ${state.step}`, () => state.select(null), { class: "quiet" });
  }

  private heading(step: Step): HTMLElement {
    const node = this.state.pass.node(step.node);
    const phase = PHASES[step.phase];
    const figures = [step.seconds === null ? "" : secondsText(step.seconds)];
    if (step.bytes) figures.push(bytesText(step.bytes));
    return make(
      "header.step-head", {},
      make(`p.phase.${phase}`, {}, step.phase === "accumulate" ? "accumulate" : phase),
      make("h2", {}, ...titleOf(step, node)),
      make("p.muted.figures", {}, figures.filter(Boolean).join(" · ")),
    );
  }

  private body(step: Step): HTMLElement[] {
    const node = this.state.pass.node(step.node);
    switch (step.phase) {
      case "forward": return this.forward(node);
      case "backward": return this.backward(step, node);
      default: return this.accumulate(step, node);
    }
  }

  private forward(node: GraphNode): HTMLElement[] {
    const values = this.state.pass.array(node.value);
    const section = make("section.block", {}, ...this.formula(node.formula, node));
    if (!node.formula) section.append(make("p.formula", {}, node.says ?? node.op ?? ""));
    if (values) {
      section.append(...this.picker(values, `value of ${node.name ?? "out"}`, (flat) => (
        this.workings.forward(node.formula, values, flat)
      )));
    }
    return [section];
  }

  /** A formula, and what stands for its letters. */
  private formula(formula: Formula | null, node: GraphNode): HTMLElement[] {
    if (!formula) return [];
    const letters = make("dl.letters");
    for (const [letter, argument] of lettersOf(formula)) {
      const input = node.inputs.find((each) => each.argument === argument)?.node;
      const from = argument === "out" ? node.id : input;
      const name = from === undefined ? "the gradient that arrives" : this.state.pass.title(from);
      const shape = shapeText(from === undefined ? node.shape : this.state.pass.node(from).shape);
      letters.append(make("dt", {}, letter), make("dd", {}, from === undefined
        ? name : makeButton(name, () => this.state.select(from), { class: "link" }), ` ${shape}`));
    }
    return [
      make("p.formula", { tabindex: 0 }, formulaElement(formula.mathml, formula.text)), letters,
    ];
  }

  private backward(step: BackwardStep, node: GraphNode): HTMLElement[] {
    const gradient = this.state.pass.array(step.gradient);
    const blocks = step.contributions.map((each) => this.contribution(each, node));
    const arrived = make("section.block", {}, make("h3", {}, this.whence(node.id)));
    if (gradient) {
      arrived.append(...this.picker(gradient, "gradient that arrives", (flat) => (
        this.sumOfArrivals(node.id, gradient, flat)
      )));
    }
    if (step.frees.length) {
      blocks.push(make(
        "section.block.freed", {}, make("h3", {}, "Let go"),
        make("p", {}, `${step.frees.join(", ")}: saved for this step, no longer needed.`),
      ));
    }
    return [arrived, ...blocks];
  }

  private whence(node: number): string {
    const { pass } = this.state;
    const from = pass.arrivals[node]!.map((each) => pass.title(each.from));
    return from.length ? `g, the gradient that arrives from ${from.join(" and ")}`
      : "g, the gradient that the pass begins with";
  }

  /** Each contribution before the sum: 0.5 + 1.2 = 1.7. */
  private sumOfArrivals(node: number, gradient: Values, flat: number): HTMLElement {
    const { pass } = this.state;
    const arrivals = pass.arrivals[node]!;
    const name = `∂L/∂${pass.title(node)}${indexText(indexOf(flat, gradient.shape))}`;
    const result = elementText(gradient.data[flat]!, gradient.dtype, "exact");
    if (arrivals.length < 2) return equation(name, result);
    const parts = arrivals.map((each) => pass.array(each.contribution.array));
    const numbers = parts.map((each) => (each ? exact(each.data[flat]!, each.dtype) : "…"));
    const names = arrivals.map((each) => `from ${pass.title(each.from)}`);
    return equation(
      name, names.join(" + "), sumText(numbers), result,
    );
  }

  private contribution(each: Contribution, node: GraphNode): HTMLElement {
    const { pass } = this.state;
    const to = pass.node(each.to);
    const name = pass.title(each.to);
    const heading = make(
      "h3", {}, "To ", makeButton(pass.title(each.to), () => this.state.select(each.to), { class: "link" }),
      ` (${each.argument})`,
    );
    const section = make("section.block.contribution", { "data-to": each.to, "data-argument": each.argument }, heading);
    section.append(...this.formula(each.formula, node));
    const raw = shapeText(each.raw_shape), shape = shapeText(to.shape);
    section.append(make("p.shapes", {}, raw === shape ? `shape ${shape}` : `shape ${raw} → ${shape}`));
    const words = broadcastWords(each, to.shape);
    if (words) section.append(make("p", {}, words), broadcastDrawing(each, to.shape)!);
    const values = pass.array(each.array);
    if (values) {
      section.append(...this.picker(values, `contribution to ${name}`, (flat) => (
        this.workings.contribution(each, values, flat)
      )));
    }
    const others = pass.arrivals[each.to]!.length;
    if (others > 1) {
      const [arrived] = pass.arrived(each.to, this.state.step);
      section.append(make("p.muted", {}, `${arrived} of ${plural(others, "contribution")} to ${name} so far; they are added up.`));
    }
    return section;
  }

  private accumulate(step: AccumulateStep, node: GraphNode): HTMLElement[] {
    const { pass } = this.state;
    const after = pass.array(step.array), before = pass.array(step.before);
    const gradient = pass.array(node.gradient?.array);
    const name = `${pass.title(node.id)}.grad`;
    const section = make("section.block", {}, make("h3", {}, `${name} holds`));
    if (!after) return [section];
    section.append(...this.picker(after, name, (flat) => {
      const index = indexText(indexOf(flat, after.shape));
      const text = (values: Values) => elementText(values.data[flat]!, values.dtype, "exact");
      const sum = before && gradient ? sumText([text(before), text(gradient)]) : null;
      return equation(name + index, sum, text(after));
    }));
    section.append(make("p.muted", {}, before
      ? "What was in .grad before stays: gradients add up until zero_grad() clears them."
      : ".grad was None: the gradient itself is stored."));
    return [section];
  }

  /** An array to pick from, and what is worked out for the element picked. */
  private picker(
    values: Values, label: string, work: (flat: number) => HTMLElement,
  ): HTMLElement[] {
    const result = make("div.worked", { "aria-live": "polite" });
    const view = arrayView(values, label, (flat) => result.replaceChildren(work(flat)));
    return [view, result];
  }
}

/** What runs, and the variable that it makes or changes. */
function titleOf(step: Step, node: GraphNode): (string | HTMLElement)[] {
  if (step.phase === "accumulate") return [make("code", {}, `${node.name ?? `node ${node.id}`}.grad`)];
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
      parts.filter((part): part is Tree => typeof part === "object" && part !== null && "k" in part)
        .forEach(walk);
    }
  };
  if (formula.tree) walk(formula.tree);
  return letters;
}

function sumText(numbers: string[]): string {
  return numbers.reduce((text, each) => (
    each.startsWith("−") ? `${text} − ${each.slice(1)}` : `${text} + ${each}`
  ));
}
