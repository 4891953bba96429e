/** Beside the graph: whether gradients agree, causes, loops of compiled code, notes. */

import { make, makeButton, makeJump, prose } from "../shared/dom";
import { brief, countText, plural, secondsText } from "../shared/numbers";
import { tells } from "./cards";
import type { Pass } from "./pass";
import type { State } from "./state";
import type { Check, Loop, Why } from "./types";

const MORE = "more";

/** How many gradients agree, with PyTorch and with central differences. */
export function summary(state: State): HTMLElement {
  const nodes = state.pass.data.nodes.filter((each) => each.gradient);
  const lines = [
    agreement(
      state,
      "PyTorch",
      nodes.map((each) => [each.id, each.gradient!.checks.pytorch]),
    ),
    agreement(
      state,
      "central differences",
      nodes.map((each) => [each.id, each.gradient!.checks.differences]),
    ),
  ];
  const { why, loops, notes } = state.pass.data;
  const more = [why.length && "why", loops.length && "loops", notes.length && "notes"].filter(
    Boolean,
  );
  return make(
    "ul.summary",
    {},
    ...notes.filter((each) => each.startsWith("Only")).map((each) => make("li", {}, each)),
    ...lines,
    more.length > 0 && make("li", {}, makeJump(MORE, `Below: ${more.join(", ")}`)),
  );
}

function agreement(
  state: State,
  against: string,
  checks: [number, Check | null][],
): HTMLElement | null {
  const done = checks.filter((each): each is [number, Check] => each[1] !== null && tells(each[1]));
  if (!done.length) return null;
  const off = done.filter(([, check]) => !check.ok).map(([node]) => node);
  const good = done.length - off.length;
  const words =
    `${countText(good)} of ${plural(done.length, "gradient")} ${good === 1 ? "agrees" : "agree"} ` +
    `with ${against}${distance(done.map(([, check]) => check))}`;
  return make(
    off.length ? "li.bad" : "li.good",
    {},
    make("span", { "aria-hidden": "true" }, off.length ? "✗ " : "✓ "),
    words,
    " ",
    off.length > 0 && makeButton("Show", () => showGradients(state, off), { class: "link" }),
  );
}

function showGradients(state: State, nodes: number[]): void {
  state.goToGradient(nodes);
  document.querySelector(".checks:has(.bad)")?.scrollIntoView({ block: "nearest" });
}

function distance(checks: Check[]): string {
  const ulp = checks.flatMap((each) => each.ulp ?? []);
  if (!ulp.length) return "";
  const most = Math.max(...ulp);
  return most ? `, at most ${brief(most)} ulp apart` : ", bit for bit";
}

export function extras(state: State): HTMLElement | null {
  const { why, loops, notes } = state.pass.data;
  if (!why.length && !loops.length && !notes.length) return null;
  const section = make("section.extras", {
    id: MORE,
    tabindex: -1,
    "aria-label": "More on this pass",
  });
  if (why.length) {
    section.append(make("h2", {}, "Why?"), ...why.map((each) => cause(state, each)));
  }
  if (loops.length) {
    section.append(
      make("h2", {}, `Compiled: ${plural(loops.length, "piece")} of code`),
      ...loops.map((each) => loop(state, each)),
    );
  }
  if (notes.length) {
    section.append(
      make("h2", {}, "Notes"),
      make("ul", {}, ...notes.map((each) => make("li", {}, each))),
    );
  }
  return section;
}

function cause(state: State, each: Why): HTMLElement {
  return make(
    "article.why",
    {},
    make("p", {}, make("strong", {}, state.pass.title(each.node)), ": ", ...prose(each.paragraph)),
    each.fix ? make("p", {}, make("strong", {}, "What to do: "), ...prose(each.fix)) : null,
    makeButton("Show in the graph", () => show(state, each.node, each.chain), { class: "quiet" }),
  );
}

function loop(state: State, each: Loop): HTMLElement {
  const names = each.nodes.map((id) => state.pass.title(id)).join(", ");
  return make(
    "details.loop",
    {},
    make("summary", {}, `${each.name} (${plural(each.nodes.length, "operation")})`),
    make("p", {}, names),
    each.nodes.length
      ? makeButton("Show in the graph", () => show(state, each.nodes[0]!, each.nodes), {
          class: "quiet",
        })
      : null,
    make("pre", { tabindex: 0, "aria-label": `Source of ${each.name}` }, each.source),
  );
}

function show(state: State, node: number, marked: number[]): void {
  state.select(node, marked);
  document.querySelector(".graph")?.scrollIntoView({ block: "nearest" });
}

export function madeBy(pass: Pass): HTMLElement {
  const { made } = pass.data;
  const torch = made.torch
    ? `checked against PyTorch ${made.torch}`
    : "PyTorch was not there to check against";
  return make(
    "p.made.muted",
    {},
    `Made by tinygrad_mnist ${made.tinygrad_mnist} in ${secondsText(made.seconds)}; ${torch}.`,
  );
}
