/** The data of an explain page, as tinygrad_mnist.explainer writes it. */

import type { PackedArray } from "../shared/arrays";

export type Tree = { shape?: number[] } & (
  | { k: "value"; name: string; argument?: string; array?: number | null }
  | { k: "number"; value: number | "nan" | "inf" | "-inf"; name?: string }
  | { k: "attribute"; name: string; text: string; value?: number }
  | { k: BinaryKind; a: Tree; b: Tree }
  | { k: "neg" | "transpose"; a: Tree }
  | { k: "function"; name: string; a: Tree }
  | { k: ReductionKind; a: Tree; dims: number[]; keepdim: boolean }
  | { k: "compare"; op: string; a: Tree; b: Tree }
  | { k: "where"; c: Tree; a: Tree; b: Tree }
  | { k: "reshape" | "expand"; a: Tree }
  | { k: "permute"; a: Tree; dims: number[] }
  | { k: "call"; name: string; args: Tree[]; array?: number | null; says?: string | null }
);

export type BinaryKind =
  "add" | "sub" | "mul" | "div" | "pow" | "matmul" | "maximum" | "minimum" | "and" | "or";

export type ReductionKind = "sum" | "mean" | "max" | "min" | "prod";

export interface Formula {
  text: string;
  /** What it gives: `out`, or `∂L/∂x`. */
  left: string;
  mathml: string;
  tree: Tree | null;
  /** For a derivative: the input it is for. */
  argument: string;
}

export interface Check {
  ok: boolean;
  /** The largest difference, in units of the last place. */
  ulp: number | null;
  largest: number;
  elements: number;
  note: string | null;
}

export interface GraphNode {
  id: number;
  kind: "parameter" | "leaf" | "input" | "constant" | "operation";
  name: string | null;
  op: string | null;
  grad_fn: string | null;
  says: string | null;
  formula: Formula | null;
  inputs: { node: number; argument: string }[];
  attributes: Record<string, string>;
  shape: number[];
  dtype: string;
  value: number | null;
  scope: number | null;
  source: { file: number; line: number } | null;
  /** 2: made by the formulas of an earlier backward pass, run with create_graph. */
  order: 1 | 2;
  under: number | null;
  requires_grad: boolean;
  is_leaf: boolean;
  view_of: number | null;
  in_place: boolean;
  saves: { name: string; array: number | null; node: number | null }[];
  seconds: number | null;
  bytes: number;
  loop: number | null;
  gradient: {
    array: number;
    checks: { pytorch: Check | null; differences: Check | null };
  } | null;
}

export interface Scope {
  id: number;
  parent: number | null;
  kind: "module" | "function" | "loop" | "iteration";
  name: string;
  type: string | null;
  nodes: number[];
  repeats: number | null;
}

export interface Contribution {
  to: number;
  argument: string;
  formula: Formula | null;
  raw_shape: number[];
  /** Dimensions summed because they were broadcast forwards. */
  summed: number[];
  /** Dimensions stretched because they were reduced forwards. */
  stretched: number[];
  array: number | null;
}

interface StepBase {
  number: number;
  node: number;
  seconds: number | null;
  bytes: number;
}

export interface ForwardStep extends StepBase {
  phase: "forward";
}

export interface BackwardStep extends StepBase {
  phase: "backward";
  gradient: number | null;
  contributions: Contribution[];
  frees: string[];
}

export interface AccumulateStep extends StepBase {
  phase: "accumulate";
  before: number | null;
  array: number | null;
}

export type Step = ForwardStep | BackwardStep | AccumulateStep;

export interface Source {
  name: string;
  text: string;
}

export interface Loop {
  name: string;
  nodes: number[];
  source: string;
}

export interface Why {
  node: number;
  cause: string;
  paragraph: string;
  chain: number[];
  fix: string;
}

export interface ExplainData {
  title: string;
  made: { tinygrad_mnist: string; numpy: string; torch: string | null; seconds: number };
  arrays: PackedArray[];
  nodes: GraphNode[];
  scopes: Scope[];
  steps: Step[];
  sources: Source[];
  loops: Loop[];
  notes: string[];
  why: Why[];
}
