/** The program beside its graph: the line of the step is lit, a line leads to its nodes. */

import { make, makeButton } from "../shared/dom";
import { plural } from "../shared/numbers";
import type { State } from "./state";

export function sourceView(state: State): HTMLElement | null {
  const { sources } = state.pass.data;
  if (!sources.length) return null;
  const files = sources.map((_, file) => fileView(state, file));
  const names = sources.map((each, file) =>
    makeButton(each.name, () => open(file), { class: "quiet file" }),
  );
  let opened = -1;
  const open = (file: number) => {
    if (file === opened) return;
    opened = file;
    files.forEach((each, at) => {
      each.element.hidden = at !== file;
    });
    names.forEach((each, at) => each.setAttribute("aria-pressed", String(at === file)));
  };
  const light = () => {
    const at = state.pass.node(state.focus).source;
    if (at) open(at.file);
    files.forEach((each, file) => each.light(at?.file === file ? at.line : null));
  };
  open(0);
  state.listen(light);
  requestAnimationFrame(light);
  return make(
    "section.source",
    { "aria-label": "Source" },
    make("h2", {}, "Source"),
    make("div.files", {}, ...names),
    ...files.map((each) => each.element),
  );
}

interface FileView {
  element: HTMLElement;
  light: (line: number | null) => void;
}

function fileView(state: State, file: number): FileView {
  const nodes = new Map<number, number[]>();
  for (const { id, source } of state.pass.data.nodes) {
    if (source?.file !== file) continue;
    nodes.set(source.line, [...(nodes.get(source.line) ?? []), id]);
  }
  const text = state.pass.data.sources[file]!.text.replace(/\n$/, "");
  const lines = text.split("\n").map((each, at) => line(state, at + 1, each, nodes.get(at + 1)));
  const element = make("ol.code", { tabindex: 0, "aria-label": "Lines of the program" }, ...lines);
  let lit: HTMLElement | null = null;
  return {
    element,
    light: (number) => {
      lit?.classList.remove("lit");
      lit?.removeAttribute("aria-current");
      lit = number === null ? null : (lines[number - 1] ?? null);
      lit?.classList.add("lit");
      lit?.setAttribute("aria-current", "step");
      if (lit) keepInSight(lit, element);
    },
  };
}

/** A line; one that made nodes is a button. */
function line(state: State, number: number, text: string, nodes?: number[]): HTMLElement {
  const gutter = make("span.number", { "aria-hidden": "true" }, String(number));
  if (!nodes) return make("li", {}, gutter, make("span.text", {}, text || " "));
  const button = makeButton(text, () => state.select(nodes.at(-1)!, nodes), {
    class: "text",
    title: `Line ${number}: ${plural(nodes.length, "node")}`,
  });
  return make("li", {}, gutter, button);
}

function keepInSight(line: HTMLElement, list: HTMLElement): void {
  const top = line.offsetTop;
  const margin = 2 * line.offsetHeight;
  if (top < list.scrollTop + margin) list.scrollTop = top - margin;
  else if (top > list.scrollTop + list.clientHeight - margin - line.offsetHeight) {
    list.scrollTop = top - list.clientHeight + margin + line.offsetHeight;
  }
}
