/** Beside the graph: whether gradients agree, causes, loops of compiled code, notes. */

import { make, makeButton } from "../shared/dom";
import { brief, plural, secondsText } from "../shared/numbers";
import type { Pass } from "./pass";
import type { State } from "./state";
import type { Check, Loop, Why } from "./types";

/** How many gradients agree, with PyTorch and with central differences. */
export function summary(pass: Pass): HTMLElement {
  const gradients = pass.data.nodes.flatMap((each) => each.gradient ?? []);
  const lines = [
    agreement("PyTorch", gradients.map((each) => each.checks.pytorch)),
    agreement("central differences", gradients.map((each) => each.checks.differences)),
  ];
  return make("ul.summary", {}, ...lines);
}

function agreement(against: string, checks: (Check | null)[]): HTMLElement | null {
  const done = checks.filter((each) => each !== null);
  if (!done.length) return null;
  const good = done.filter((each) => each.ok).length;
  const ulp = done.flatMap((each) => each.ulp ?? []);
  const far = against === "PyTorch" && ulp.length ? `, at most ${brief(Math.max(...ulp))} ulp apart` : "";
  const words = `${good} of ${plural(done.length, "gradient")} ${good === 1 ? "agrees" : "agree"} with ${against}${far}`;
  const all = good === done.length;
  return make(all ? "li.good" : "li.bad", {}, make("span", { "aria-hidden": "true" }, all ? "✓ " : "✗ "), words);
}

export function extras(state: State): HTMLElement | null {
  const { why, loops, notes } = state.pass.data;
  if (!why.length && !loops.length && !notes.length) return null;
  const section = make("section.extras", { "aria-label": "More on this pass" });
  if (why.length) {
    section.append(make("h2", {}, "Why?"), ...why.map((each) => cause(state, each)));
  }
  if (loops.length) {
    section.append(
      make("h2", {}, `Compiled: ${plural(loops.length, "loop")}`), ...loops.map((each) => loop(state, each)),
    );
  }
  if (notes.length) {
    section.append(make("h2", {}, "Notes"), make("ul", {}, ...notes.map((each) => make("li", {}, each))));
  }
  return section;
}

function cause(state: State, each: Why): HTMLElement {
  return make(
    "article.why", {},
    make("p", {}, make("strong", {}, state.pass.title(each.node)), `: ${each.paragraph}`),
    each.fix ? make("p", {}, make("strong", {}, "What to do: "), each.fix) : null,
    makeButton("Show in the graph", () => state.select(each.node, each.chain), { class: "quiet" }),
  );
}

function loop(state: State, each: Loop): HTMLElement {
  const names = each.nodes.map((id) => state.pass.title(id)).join(", ");
  return make(
    "details.loop", {},
    make("summary", {}, `${each.name}: ${plural(each.nodes.length, "operation")} in one loop`),
    make("p", {}, names),
    each.nodes.length
      ? makeButton("Show in the graph", () => state.select(each.nodes[0]!, each.nodes), { class: "quiet" }) : null,
    make("pre", { tabindex: 0, "aria-label": `Source of ${each.name}` }, each.source),
  );
}

export function madeBy(pass: Pass): HTMLElement {
  const { made } = pass.data;
  const torch = made.torch ? `checked against PyTorch ${made.torch}` : "PyTorch was not there to check against";
  return make("p.made.muted", {},
    `Made by tinygrad_mnist ${made.tinygrad_mnist} in ${secondsText(made.seconds)}; ${torch}.`);
}
