/** Where the reader is: the step, what is selected, what is open. Views listen. */

import type { Box } from "./boxes";
import { openAtFirst, opensWith } from "./boxes";
import type { Pass } from "./pass";
import type { Step } from "./types";

/** What changed: the step, the selection, or which boxes and folds are open. */
export type Change = "step" | "selection" | "boxes";

export class State {
  step = 0;
  /** The node that the reader looks at; null follows the step. */
  selected: number | null = null;
  /** Nodes lit together: of a line of the source, a loop, a chain of causes. */
  marked = new Set<number>();
  readonly open: Set<string>;
  readonly revealed = new Set<string>();
  second = true;
  private readonly listeners: ((change: Change) => void)[] = [];

  constructor(
    readonly pass: Pass,
    readonly root: Box,
  ) {
    this.open = openAtFirst(root, pass);
  }

  listen(listener: (change: Change) => void): void {
    this.listeners.push(listener);
  }

  get current(): Step {
    return this.pass.steps[this.step]!;
  }

  get last(): number {
    return this.pass.steps.length - 1;
  }

  /** The node that the panel tells of. */
  get focus(): number {
    return this.selected ?? this.current.node;
  }

  goTo(step: number): void {
    const next = Math.min(this.last, Math.max(0, Math.round(step)));
    if (Number.isNaN(next) || (next === this.step && this.selected === null)) return;
    this.step = next;
    this.selected = null;
    this.marked.clear();
    this.changed("step");
  }

  /** Goes to where gradients are first known of these nodes, and looks at the node of that one. */
  goToGradient(nodes: number[]): void {
    const at = (node: number) => this.pass.gradientAt(node);
    const first = nodes.reduce((best, each) => (at(each) < at(best) ? each : best));
    this.goTo(at(first));
    this.select(first, nodes);
  }

  select(node: number | null, marked: Iterable<number> = []): void {
    this.selected = node;
    this.marked = new Set(marked);
    this.changed("selection");
  }

  toggle(box: Box): void {
    if (!this.open.delete(box.key))
      opensWith(box, this.pass).forEach((each) => this.open.add(each.key));
    this.changed("boxes");
  }

  reveal(keys: string[]): void {
    keys.forEach((key) => this.revealed.add(key));
    this.changed("boxes");
  }

  showSecond(shown: boolean): void {
    this.second = shown;
    this.changed("boxes");
  }

  private changed(change: Change): void {
    this.listeners.forEach((listener) => listener(change));
  }
}
