/** All that is known of one node, at the step where the reader is. */

import { make, makeButton, prose } from "../shared/dom";
import { brief, bytesText, plural, secondsText, shapeText } from "../shared/numbers";
import { tells, tickOf } from "./cards";
import type { State } from "./state";
import type { Check, GraphNode } from "./types";
import { arrayView } from "./worked";

export function nodeDetails(state: State, id: number): HTMLElement {
  const { pass, step } = state;
  const node = pass.node(id);
  const isCurrent = id === state.current.node;
  const section = make(
    "section.details",
    { "data-details": id },
    make("h2", {}, `Node ${id}: ${[node.name, node.op].filter(Boolean).join(" = ") || node.kind}`),
    facts(state, node),
  );
  if (!isCurrent) section.append(...arrays(state, node));
  if (pass.isGradientComplete(id, step)) section.append(...checks(node));
  section.append(...whys(state, id), links(state, id));
  return section;
}

function facts(state: State, node: GraphNode): HTMLElement {
  const { pass, step } = state;
  const rows: [string, string | null][] = [
    ["shape", `${shapeText(node.shape)} ${node.dtype}`],
    ["grad_fn", node.grad_fn],
    [
      "leaf",
      node.is_leaf
        ? node.requires_grad
          ? "yes, requires a gradient"
          : "yes, no gradient asked for"
        : null,
    ],
    [
      "settings",
      Object.entries(node.attributes)
        .map(([name, text]) => `${name}=${text}`)
        .join(", ") || null,
    ],
    ["view of", node.view_of === null ? null : pass.title(node.view_of)],
    ["in place", node.in_place ? "yes: it overwrote its input" : null],
    ["made by", node.under === null ? null : `the derivative formula of ${pass.title(node.under)}`],
    [
      "saved",
      node.saves
        .map((each) => each.name + (pass.isFreed(node.id, each.name, step) ? " (let go)" : ""))
        .join(", ") || null,
    ],
    [
      "cost",
      [
        node.seconds === null ? "" : secondsText(node.seconds),
        node.bytes ? bytesText(node.bytes) : "",
      ]
        .filter(Boolean)
        .join(", ") || null,
    ],
    ["loop", node.loop === null ? null : (pass.data.loops[node.loop]?.name ?? null)],
  ];
  return make(
    "dl.facts",
    {},
    ...rows.flatMap(([name, text]) => (text ? [make("dt", {}, name), make("dd", {}, text)] : [])),
  );
}

function arrays(state: State, node: GraphNode): HTMLElement[] {
  const { pass, step } = state;
  const shown: HTMLElement[] = [];
  const value = pass.array(node.value);
  if (value && pass.isComputed(node.id, step)) {
    shown.push(
      make("h3", {}, "Value"),
      arrayView(value, "value", () => undefined),
    );
  }
  const gradient = pass.array(node.gradient?.array);
  if (!gradient) return shown;
  const complete = pass.isGradientComplete(node.id, step);
  const [arrived, all] = pass.arrived(node.id, step);
  shown.push(
    make("h3", {}, "Gradient, ∂L/∂this"),
    complete
      ? arrayView(gradient, "gradient", () => undefined)
      : make("p.muted", {}, `Not known yet: ${arrived} of ${plural(all, "contribution")} arrived.`),
  );
  return shown;
}

function checks(node: GraphNode): HTMLElement[] {
  const { pytorch, differences } = node.gradient!.checks;
  const rows = [
    checkLine("PyTorch", pytorch),
    checkLine("central differences", differences),
  ].filter((each) => each !== null);
  return rows.length ? [make("h3", {}, "Gradient checked"), make("ul.checks", {}, ...rows)] : [];
}

function checkLine(against: string, check: Check | null): HTMLElement | null {
  if (!check) return null;
  if (!tells(check)) return make("li", {}, `${against}: cannot tell (${check.note ?? ""})`);
  const apart = `at most ${brief(check.largest)} apart`;
  const ulp = check.ulp === 0 ? "every bit the same" : `at most ${brief(check.ulp!)} ulp apart`;
  const far = check.ulp === null ? apart : check.ok ? ulp : `${apart}, ${brief(check.ulp)} ulp`;
  const note = check.note ? ` (${check.note})` : "";
  const words = ` ${against}: ${far}, ${plural(check.elements, "element")}${note}`;
  return make("li", {}, tickOf(check), words);
}

function whys(state: State, id: number): HTMLElement[] {
  return state.pass.data.why
    .filter((each) => each.node === id)
    .map((each) => make("p.why", {}, make("strong", {}, "Why? "), ...prose(each.paragraph)));
}

function links(state: State, id: number): HTMLElement {
  const { pass } = state;
  const steps = pass
    .stepsOf(id)
    .map(({ name, step }) =>
      makeButton(`${name}: step ${step + 1}`, () => state.goTo(step), { class: "quiet" }),
    );
  return make("div.links", {}, ...steps);
}
