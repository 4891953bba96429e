/** The pass as the page asks about it: who uses what, and when each number is known. */

import type { Values } from "../shared/arrays";
import { constant } from "../shared/numbers";
import type { Contribution, ExplainData, GraphNode, Step } from "./types";

/** From a node to an operation that takes it as this argument. */
export interface Edge {
  from: number;
  to: number;
  argument: string;
}

/** A contribution, and the backward step that made it. */
export interface Arrival {
  step: number;
  from: number;
  contribution: Contribution;
}

export class Pass {
  readonly edges: Edge[] = [];
  /** What arrives at each node's gradient, in the order of the walk. */
  readonly arrivals: Arrival[][];
  private readonly forwardAt = new Map<number, number>();
  private readonly backwardAt = new Map<number, number>();
  private readonly accumulateAt = new Map<number, number>();
  private readonly byEdge = new Map<string, Arrival>();

  constructor(
    readonly data: ExplainData,
    readonly values: Values[],
  ) {
    this.arrivals = data.nodes.map(() => []);
    for (const node of data.nodes) {
      for (const { node: from, argument } of node.inputs) {
        this.edges.push({ from, to: node.id, argument });
      }
    }
    data.steps.forEach((step, number) => this.read(step, number));
  }

  private read(step: Step, number: number): void {
    if (step.phase === "forward") this.forwardAt.set(step.node, number);
    if (step.phase === "accumulate") this.accumulateAt.set(step.node, number);
    if (step.phase !== "backward") return;
    this.backwardAt.set(step.node, number);
    for (const contribution of step.contributions) {
      const arrival = { step: number, from: step.node, contribution };
      this.arrivals[contribution.to]?.push(arrival);
      this.byEdge.set(edgeKey(contribution.to, step.node, contribution.argument), arrival);
    }
  }

  get steps(): Step[] {
    return this.data.steps;
  }

  node(id: number): GraphNode {
    return this.data.nodes[id]!;
  }

  array(index: number | null | undefined): Values | null {
    return index == null ? null : (this.values[index] ?? null);
  }

  stepsOf(node: number): { name: string; step: number }[] {
    const found = [
      { name: "forward", step: this.forwardAt.get(node) },
      { name: "backward", step: this.backwardAt.get(node) },
      { name: ".grad", step: this.accumulateAt.get(node) },
    ];
    return found.filter((each): each is { name: string; step: number } => each.step !== undefined);
  }

  /** What came back along an edge, or nothing as long as its step has not run. */
  arrivalOn(edge: Edge, now: number): Arrival | null {
    const arrival = this.byEdge.get(edgeKey(edge.from, edge.to, edge.argument));
    return arrival && arrival.step <= now ? arrival : null;
  }

  /** Whether an end of the edge was recorded by an earlier backward pass. */
  isSecond(edge: Edge): boolean {
    return this.node(edge.from).order === 2 || this.node(edge.to).order === 2;
  }

  /** Whether the node's value is there: leaves from the start. */
  isComputed(node: number, now: number): boolean {
    return (this.forwardAt.get(node) ?? -1) <= now;
  }

  /** Whether all that its gradient is a sum of has arrived. */
  isGradientComplete(node: number, now: number): boolean {
    return this.node(node).gradient !== null && this.gradientAt(node) <= now;
  }

  /** How many of the node's contributions have arrived, and how many there are. */
  arrived(node: number, now: number): [number, number] {
    const all = this.arrivals[node]!;
    return [all.filter((each) => each.step <= now).length, all.length];
  }

  /** Saved values of the node that its backward step has let go by now. */
  isFreed(node: number, name: string, now: number): boolean {
    const at = this.backwardAt.get(node);
    const step = at !== undefined && at <= now ? this.steps[at] : undefined;
    return step?.phase === "backward" && step.frees.includes(name);
  }

  /** The step after which the node's gradient is complete. */
  gradientAt(node: number): number {
    const arrivals = this.arrivals[node]!;
    if (arrivals.length) return Math.max(...arrivals.map((each) => each.step));
    return this.backwardAt.get(node) ?? this.accumulateAt.get(node) ?? Infinity;
  }

  /** What a reader calls a node: the variable's name, else the operation's, else its number. */
  title(id: number): string {
    const node = this.node(id);
    if (node.name ?? node.op) return node.name ?? node.op!;
    const value = node.shape.length ? null : this.array(node.value);
    return value ? constant(value.data[0]!) : node.kind;
  }
}

function edgeKey(from: number, to: number, argument: string): string {
  return `${from}>${to}:${argument}`;
}
