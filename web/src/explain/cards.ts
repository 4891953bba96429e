/** The cards of the graph: a node, a closed box, a run of items folded into one. */

import type { Values } from "../shared/arrays";
import { sizeOf } from "../shared/arrays";
import { make } from "../shared/dom";
import { HeatMap } from "../shared/heatmap";
import { element as elementText, plural, shapeText } from "../shared/numbers";
import type { Box, Item } from "./boxes";
import { nodesOf } from "./boxes";
import type { Pass } from "./pass";
import type { Check } from "./types";

const FEW = 9,
  ROW = 4,
  COLUMN = 3;
const MAP = { width: 140, height: 76, cell: 12 };

/** A card, and how it shows what is known at a step. */
export interface Card {
  element: HTMLElement;
  update: (now: number) => void;
}

export function cardOf(item: Item, pass: Pass): Card {
  switch (item.kind) {
    case "node":
      return nodeCard(item.node, pass);
    case "box":
      return boxCard(item.box, pass);
    default:
      return foldCard(item.items, pass);
  }
}

function nodeCard(id: number, pass: Pass): Card {
  const node = pass.node(id);
  if (node.kind === "constant" && !node.name && !node.shape.length) return numberCard(id, pass);
  const name = node.name ? make("span.card-name", {}, node.name) : null;
  const op = make("span.card-op", {}, node.op ?? node.kind);
  const title = make(
    "button.card-title",
    { type: "button", tabindex: -1 },
    ...(node.op ? [op, name] : [name ?? op, name && op]),
  );
  const numbers = numbersOf(id, pass);
  const element = make(
    "div.card",
    { "data-node": id, "data-order": node.order },
    title,
    node.says && make("p.card-says", {}, node.says.split("\n")[0]!),
    numbers.element,
  );
  element.classList.add(node.kind);
  return { element, update: numbers.update };
}

/** A number that stands in the program. */
function numberCard(id: number, pass: Pass): Card {
  const title = make("button.card-title", { type: "button", tabindex: -1 }, pass.title(id));
  const element = make(
    "div.card.constant.number",
    { "data-node": id, "data-order": pass.node(id).order },
    title,
  );
  return { element, update: () => undefined };
}

function boxCard(box: Box, pass: Pass): Card {
  const result = resultOf(box, pass);
  const numbers = result === null ? null : numbersOf(result, pass);
  const title = make(
    "button.card-title",
    { type: "button", tabindex: -1, "aria-expanded": "false" },
    make("span.sign", { "aria-hidden": "true" }, "+"),
    ...boxTitle(box),
  );
  const element = make(
    "div.card.box",
    { "data-box": box.key },
    title,
    make("p.card-says", {}, contents(box, pass)),
    numbers?.element,
  );
  if (box.second) element.dataset.order = "2";
  return { element, update: (now) => numbers?.update(now) };
}

function foldCard(items: Item[], pass: Pass): Card {
  const nodes = items.flatMap(nodesOf);
  const noun = items.every((each) => each.kind === "box") ? ["box", "boxes"] : ["node", "nodes"];
  const title = make(
    "button.card-title",
    { type: "button", tabindex: -1 },
    `⋯ ${plural(items.length, noun[0]!, noun[1])}`,
  );
  const progress = make("p.card-says");
  return {
    element: make("div.card.fold", {}, title, progress),
    update: (now) => {
      const reached = nodes.filter((each) => pass.isGradientComplete(each, now)).length;
      progress.textContent = reached
        ? `${plural(reached, "gradient")} known`
        : "folded; open to see them";
    },
  };
}

/** A box's name, and what kind of thing it is. */
export function boxTitle(box: Box): HTMLElement[] {
  if (box.second) return [make("span.card-op", {}, "backward pass, recorded")];
  const { name, type, repeats } = box.scope!;
  const title = [make("span.card-op", {}, name)];
  if (type) title.push(make("span.card-name", {}, type));
  if (repeats) title.push(make("span.card-name", {}, `× ${repeats}`));
  return title;
}

function contents(box: Box, pass: Pass): string {
  const operations = box.nodes.filter((each) => pass.node(each).op).length;
  const parameters = box.nodes.filter((each) => pass.node(each).kind === "parameter").length;
  const parts = [plural(operations, "operation")];
  if (parameters) parts.push(plural(parameters, "parameter"));
  return parts.join(", ");
}

/** The node whose value leaves the box, where there is one only. */
function resultOf(box: Box, pass: Pass): number | null {
  const inside = new Set(box.nodes);
  const leaving = new Set(
    pass.edges.flatMap((edge) =>
      inside.has(edge.from) && !inside.has(edge.to) ? [edge.from] : [],
    ),
  );
  if (leaving.size === 0) return box.nodes.at(-1) ?? null;
  return leaving.size === 1 ? [...leaving][0]! : null;
}

/** Value and gradient side by side; the gradient's place stays empty until it is known. */
function numbersOf(id: number, pass: Pass): Card {
  const node = pass.node(id);
  const value = pass.array(node.value);
  const valueSlot = make("div.slot.value", {}, shown(value, `value of ${pass.title(id)}`));
  const gradient = pass.array(node.gradient?.array);
  const element = make(
    "div.card-numbers",
    {},
    make(
      "figure.part",
      {},
      valueSlot,
      make("figcaption", {}, `${shapeText(node.shape)} ${node.dtype}`),
    ),
  );
  if (!gradient) {
    return { element, update: (now) => hide(valueSlot, !pass.isComputed(id, now)) };
  }
  const slot = make("div.slot.gradient", {}, shown(gradient, `gradient of ${pass.title(id)}`));
  const caption = make("figcaption");
  element.append(make("figure.part", {}, slot, caption));
  const tick = tickOf(node.gradient!.checks.pytorch ?? node.gradient!.checks.differences);
  return {
    element,
    update: (now) => {
      hide(valueSlot, !pass.isComputed(id, now));
      const complete = pass.isGradientComplete(id, now);
      const [arrived, all] = pass.arrived(id, now);
      hide(slot, !complete);
      element.classList.toggle("complete", complete);
      caption.replaceChildren(
        ...(complete
          ? [`∂L/∂${node.name ?? "this"} `, ...(tick ? [tick] : [])]
          : [arrived ? `∂L: ${arrived} of ${all} arrived` : "∂L: not yet"]),
      );
    },
  };
}

function hide(slot: HTMLElement, hidden: boolean): void {
  slot.classList.toggle("unknown", hidden);
  slot.setAttribute("aria-hidden", String(hidden));
}

/** Whether a check could tell anything. */
export function tells(check: Check): boolean {
  return check.elements > 0;
}

/** ✓ or ✗ with what it means. */
export function tickOf(check: Check | null): HTMLElement | null {
  if (!check || !tells(check)) return null;
  const sign = check.ok ? "✓" : "✗";
  const words = check.ok ? "agrees" : "differs";
  return make(
    check.ok ? "span.tick.good" : "span.tick.bad",
    { title: words },
    make("span", { "aria-hidden": "true" }, sign),
    make("span.out-of-sight", {}, words),
  );
}

/** Numbers when they are few, else a heat map. */
function shown(values: Values | null, label: string): HTMLElement {
  if (!values) return make("p.muted", {}, "not kept");
  const columns = values.shape.at(-1) ?? 1;
  const size = sizeOf(values.shape);
  if (values.shape.length <= 2 && (size <= ROW || (size <= FEW && columns <= COLUMN))) {
    return numberTable(values, Math.min(columns, ROW));
  }
  return new HeatMap(values, { ...MAP, label, legend: false, reads: false }).element;
}

function numberTable(values: Values, columns: number): HTMLElement {
  const table = make("div.few", { "data-size": sizeOf(values.shape) });
  table.style.gridTemplateColumns = `repeat(${columns}, auto)`;
  for (let at = 0; at < sizeOf(values.shape); at++) {
    const number = values.data[at]!;
    const cell = make("span", {}, elementText(number, values.dtype, "brief"));
    cell.classList.toggle("odd", !Number.isFinite(number));
    table.append(cell);
  }
  return table;
}
