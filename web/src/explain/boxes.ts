/** Scopes as boxes in boxes, and which of them are drawn now. */

import type { Pass } from "./pass";
import type { Scope } from "./types";

/** What stands in a container: a node, a box, or a run of items folded into one. */
export type Item =
  | { kind: "node"; key: string; node: number }
  | { kind: "box"; key: string; box: Box }
  | { kind: "fold"; key: string; items: Item[] };

/** A scope with what is in it, in the order of the program; the whole graph has no scope. */
export interface Box {
  key: string;
  scope: Scope | null;
  /** The second layer: what an earlier backward pass recorded. */
  second: boolean;
  parent: Box | null;
  items: Item[];
  /** All nodes in it, at any depth. */
  nodes: number[];
}

export interface View {
  open: Set<string>;
  /** Items that the reader took out of a fold. */
  revealed: Set<string>;
  /** The node that must not be folded away. */
  focus: number;
  second: boolean;
}

const CROWDED = 18;
const ENDS = 3;
const AROUND = 2;
const FITS = 16;
const SHORT = 6;

/** The tree of boxes; operations of the second layer are gathered by runs. */
export function boxesOf(pass: Pass): Box {
  const root: Box = { key: "all", scope: null, second: false, parent: null, items: [], nodes: [] };
  const homes = homesOf(pass, root);
  for (const { id } of pass.data.nodes) {
    const home = homes[id]!;
    for (let box = home; box.parent; box = box.parent) {
      const { key, parent } = box;
      if (!box.nodes.length) parent.items.push({ kind: "box", key, box });
    }
    home.items.push({ kind: "node", key: `n${id}`, node: id });
    for (let box: Box | null = home; box; box = box.parent) box.nodes.push(id);
  }
  return root;
}

/** The box that each node stands in. A leaf stands with what uses it. */
function homesOf(pass: Pass, root: Box): Box[] {
  const made = new Map<number, Box>();
  const boxOf = (id: number | null): Box => {
    if (id === null) return root;
    const scope = pass.data.scopes[id]!;
    const box = made.get(id) ?? {
      key: `s${id}`,
      scope,
      second: false,
      parent: boxOf(scope.parent),
      items: [],
      nodes: [],
    };
    made.set(id, box);
    return box;
  };
  let run: Box | null = null;
  const homes = pass.data.nodes.map((node) => {
    if (node.kind === "operation" && node.order === 1) run = null;
    if (node.order === 1) return boxOf(node.scope);
    return (run ??= {
      key: `second${node.id}`,
      scope: null,
      second: true,
      parent: root,
      items: [],
      nodes: [],
    });
  });
  const users = new Map<number, Box[]>();
  for (const { from, to } of pass.edges) users.set(from, [...(users.get(from) ?? []), homes[to]!]);
  return pass.data.nodes.map((node) => {
    const home = homes[node.id]!,
      using = users.get(node.id);
    if (node.kind === "operation" || node.kind === "input" || !using) return home;
    let around: Box | null = using.reduce(common);
    if (node.kind !== "constant") {
      while (around.parent && around.scope?.kind !== "module") around = around.parent;
    }
    return around;
  });
}

/** The innermost box around two boxes. */
function common(a: Box, b: Box): Box {
  const around = new Set<Box>();
  for (let box: Box | null = a; box; box = box.parent) around.add(box);
  let shared = b;
  while (shared.parent && !around.has(shared)) shared = shared.parent;
  return shared;
}

/** The boxes to open at first: level by level, as long as the picture can be read at a glance. */
export function openAtFirst(root: Box, pass: Pass): Set<string> {
  const open = new Set([root.key]);
  let level = [root],
    drawn = drawnIn(root, everything(open));
  while (level.length) {
    const next = level
      .flatMap(innerBoxes)
      .filter((each) => !isLongLoop(each))
      .map((each) => opensWith(each, pass));
    const wider = new Set([...open, ...next.flat().map((box) => box.key)]);
    const count = drawnIn(root, everything(wider));
    if (!next.length || (count > FITS && count > drawn)) break;
    wider.forEach((key) => open.add(key));
    drawn = count;
    level = next.map((each) => each.at(-1)!);
  }
  return open;
}

/** A box, and what opens with it: a box that holds leaves and one box is of no use alone. */
export function opensWith(box: Box, pass: Pass): Box[] {
  const inner = innerBoxes(box);
  const alone =
    inner.length === 1 &&
    box.items.every((each) => each.kind !== "node" || pass.node(each.node).kind !== "operation");
  return alone ? [box, ...opensWith(inner[0]!, pass)] : [box];
}

function innerBoxes(box: Box): Box[] {
  return box.items.flatMap((each) => (each.kind === "box" ? [each.box] : []));
}

function isLongLoop(box: Box): boolean {
  return box.scope?.kind === "loop" && box.items.length > SHORT;
}

function everything(open: Set<string>): View {
  return { open, revealed: new Set(), focus: 0, second: true };
}

/** How many cards are drawn. */
export function drawnIn(box: Box, view: View): number {
  return visible(box, view).reduce((count, item) => {
    const isOpen = item.kind === "box" && view.open.has(item.key);
    return count + (isOpen ? drawnIn(item.box, view) : 1);
  }, 0);
}

/** The items drawn in an open box: all, or the ends, those around the focus, and folds between. */
export function visible(box: Box, view: View): Item[] {
  const items = view.second ? box.items : box.items.filter((each) => !isSecond(each));
  if (items.length <= CROWDED) return items;
  const focus = items.findIndex((each) => nodesOf(each).includes(view.focus));
  const stays = (item: Item, at: number) =>
    at < ENDS ||
    at >= items.length - ENDS ||
    view.revealed.has(item.key) ||
    (focus >= 0 && Math.abs(at - focus) <= AROUND);
  const shown: Item[] = [];
  let run: Item[] = [];
  const fold = () => {
    if (run.length === 1) shown.push(run[0]!);
    else if (run.length) shown.push({ kind: "fold", key: `f${run[0]!.key}`, items: run });
    run = [];
  };
  items.forEach((item, at) => {
    if (!stays(item, at)) return run.push(item);
    fold();
    return shown.push(item);
  });
  fold();
  return shown;
}

/** The nodes of an item, at any depth. */
export function nodesOf(item: Item): number[] {
  if (item.kind === "node") return [item.node];
  return item.kind === "box" ? item.box.nodes : item.items.flatMap(nodesOf);
}

/** The boxes around a node, outermost first. */
export function boxesAround(root: Box, node: number): Box[] {
  const path: Box[] = [];
  let box: Box | undefined = root;
  while (box) {
    path.push(box);
    box = innerBoxes(box).find((each) => each.nodes.includes(node));
  }
  return path;
}

function isSecond(item: Item): boolean {
  return item.kind === "box" && item.box.second;
}
