/** A formula's value at one element, from the numbers that were saved. */

import type { Values } from "../shared/arrays";
import { flatOf, indexOf, numberOf, sizeOf } from "../shared/arrays";
import type { BinaryKind, ReductionKind, Tree } from "./types";

export type Index = readonly number[];

const FUNCTIONS: Record<string, (x: number) => number> = {
  abs: Math.abs,
  acos: Math.acos,
  acosh: Math.acosh,
  asin: Math.asin,
  asinh: Math.asinh,
  atan: Math.atan,
  atanh: Math.atanh,
  ceil: Math.ceil,
  cos: Math.cos,
  cosh: Math.cosh,
  exp: Math.exp,
  expm1: Math.expm1,
  floor: Math.floor,
  log: Math.log,
  log10: Math.log10,
  log1p: Math.log1p,
  log2: Math.log2,
  not: (x) => Number(!x),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  sign: Math.sign,
  sin: Math.sin,
  sinh: Math.sinh,
  sqrt: Math.sqrt,
  tan: Math.tan,
  tanh: Math.tanh,
  trunc: Math.trunc,
};

const BINARY: Record<Exclude<BinaryKind, "matmul">, (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  pow: (a, b) => a ** b,
  maximum: (a, b) => (a > b || Number.isNaN(a) ? a : b),
  minimum: (a, b) => (a < b || Number.isNaN(a) ? a : b),
  and: (a, b) => Number(Boolean(a) && Boolean(b)),
  or: (a, b) => Number(Boolean(a) || Boolean(b)),
};

const REDUCE: Record<ReductionKind, [(a: number, b: number) => number, number]> = {
  sum: [BINARY.add, 0],
  mean: [BINARY.add, 0],
  prod: [BINARY.mul, 1],
  max: [Math.max, -Infinity],
  min: [Math.min, Infinity],
};

const COMPARE: Record<string, (a: number, b: number) => boolean> = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
  "==": (a, b) => a === b,
  "!=": (a, b) => a !== b,
};

/** Elements looked up for one number at most: beyond, the page shows the result alone. */
const PATIENCE = 400_000;

/** One of the terms of a sum: what is added, and where. */
export interface Terms {
  count: number;
  /** The term's two factors (a product of matrices) or its one addend, and their elements. */
  at: (term: number) => { tree: Tree; index: number[] }[];
}

export class Evaluator {
  private left = PATIENCE;

  constructor(private readonly arrays: Values[]) {}

  /** The value at an element; null where it cannot be known from what the page holds. */
  value(tree: Tree, index: Index): number | null {
    this.left = PATIENCE;
    return this.at(tree, index);
  }

  private at(tree: Tree, index: Index): number | null {
    if (--this.left < 0) return null;
    switch (tree.k) {
      case "number":
        return numberOf(tree.value);
      case "value":
      case "call":
        return this.look(tree, index);
      case "attribute":
        return tree.value ?? null;
      case "neg":
        return map(this.at(tree.a, index), (x) => -x);
      case "function": {
        const apply = FUNCTIONS[tree.name];
        return apply ? map(this.at(tree.a, index), apply) : null;
      }
      case "where": {
        const chosen = this.at(tree.c, within(index, tree.c));
        if (chosen === null) return null;
        const branch = chosen ? tree.a : tree.b;
        return this.at(branch, within(index, branch));
      }
      case "compare":
        return this.both(tree, index, (a, b) => Number(COMPARE[tree.op]?.(a, b)));
      case "matmul":
        return this.fold(tree, index, ...REDUCE.sum);
      case "sum":
      case "max":
      case "min":
      case "prod":
        return this.fold(tree, index, ...REDUCE[tree.k]);
      case "mean": {
        const count = termsOf(tree, index)?.count ?? 1;
        return map(this.fold(tree, index, ...REDUCE.mean), (x) => x / count);
      }
      case "transpose":
      case "reshape":
      case "expand":
      case "permute":
        return this.at(tree.a, moved(tree, index));
      default:
        return this.both(tree, index, BINARY[tree.k]);
    }
  }

  private both(
    tree: { a: Tree; b: Tree },
    index: Index,
    apply: (a: number, b: number) => number,
  ): number | null {
    const a = this.at(tree.a, within(index, tree.a)),
      b = this.at(tree.b, within(index, tree.b));
    return a === null || b === null ? null : apply(a, b);
  }

  private fold(
    tree: Tree,
    index: Index,
    join: (a: number, b: number) => number,
    start: number,
  ): number | null {
    const terms = termsOf(tree, index);
    if (!terms) return null;
    let total = start;
    for (let term = 0; term < terms.count; term++) {
      let product = 1;
      for (const factor of terms.at(term)) {
        const value = this.at(factor.tree, factor.index);
        if (value === null) return null;
        product *= value;
      }
      total = join(total, product);
    }
    return total;
  }

  private look(tree: Tree & { k: "value" | "call" }, index: Index): number | null {
    const values = tree.array == null ? undefined : this.arrays[tree.array];
    if (!values) return null;
    const shape = tree.shape ?? values.full;
    return values.data[flatOf(aligned(index, shape), shape)] ?? null;
  }
}

/** The terms that a sum, mean, maximum or product of matrices joins at an element. */
export function termsOf(tree: Tree, index: Index): Terms | null {
  if (tree.k === "matmul") return products(tree, index);
  if (!("dims" in tree) || tree.k === "permute") return null;
  const shape = tree.a.shape;
  if (!shape) return null;
  const dims = tree.dims.length
    ? tree.dims.map((each) => (each + shape.length) % shape.length)
    : shape.map((_, dim) => dim);
  const lengths = dims.map((dim) => shape[dim]!);
  const kept = [...index];
  return {
    count: sizeOf(lengths),
    at: (term) => {
      const summed = indexOf(term, lengths);
      let next = 0;
      const inner = shape.map((_, dim) => {
        const at = dims.indexOf(dim);
        if (at < 0) return kept[next++] ?? 0;
        if (tree.keepdim) next++;
        return summed[at]!;
      });
      return [{ tree: tree.a, index: inner }];
    },
  };
}

function products(tree: { a: Tree; b: Tree }, index: Index): Terms | null {
  const left = tree.a.shape,
    right = tree.b.shape;
  if (!left || !right) return null;
  const row = left.length > 1,
    column = right.length > 1;
  const batch = index.slice(0, index.length - Number(row) - Number(column));
  const i = index[batch.length]!,
    j = index.at(-1)!;
  return {
    count: left.at(-1)!,
    at: (k) => [
      { tree: tree.a, index: aligned([...batch, ...(row ? [i, k] : [k])], left) },
      { tree: tree.b, index: aligned([...batch, ...(column ? [k, j] : [k])], right) },
    ],
  };
}

/** The element of its operand that a rearrangement takes its own from. */
export function moved(tree: Tree & { a: Tree }, index: Index): number[] {
  const shape = tree.a.shape ?? [];
  if (tree.k === "transpose") {
    return [...index.slice(0, -2), ...index.slice(-2).reverse()];
  }
  if (tree.k === "permute") {
    const inner = [...index];
    tree.dims.forEach((dim, at) => {
      inner[(dim + index.length) % index.length] = index[at]!;
    });
    return inner;
  }
  if (tree.k === "reshape" && tree.shape) return indexOf(flatOf(index, tree.shape), shape);
  return aligned(index, shape);
}

/** The element of an operand that broadcasting pairs with an element of the result. */
export function within(index: Index, tree: Tree): number[] {
  return tree.shape ? aligned(index, tree.shape) : [...index];
}

export function aligned(index: Index, shape: readonly number[]): number[] {
  const lead = index.length - shape.length;
  return shape.map((length, dim) => (length === 1 ? 0 : (index[lead + dim] ?? 0)));
}

function map(value: number | null, apply: (x: number) => number): number | null {
  return value === null ? null : apply(value);
}
