/** A formula at one element: in names with indices, and with the numbers in it. */

import { numberOf } from "../shared/arrays";
import { brief, constant, indexText } from "../shared/numbers";
import type { Evaluator, Index } from "./evaluate";
import { moved, termsOf, within } from "./evaluate";
import type { Tree } from "./types";

/** The same formula twice, part by part: `g[3] · y[3]` and `0.5 · −1.2`. */
export interface Substituted {
  names: string;
  numbers: string;
}

interface Written extends Substituted {
  strength: number;
}

const SUM = 1,
  PRODUCT = 2,
  SIGN = 3,
  POWER = 4,
  ATOM = 5;
const SIGNS = {
  add: [" + ", SUM],
  sub: [" − ", SUM],
  mul: [" · ", PRODUCT],
  div: [" / ", PRODUCT],
} as const;
const UNKNOWN = "…";
const FIRST = 2,
  LARGEST = 2,
  ALL = 5;

export class Substitution {
  constructor(private readonly evaluator: Evaluator) {}

  at(tree: Tree, index: Index): Substituted {
    const { names, numbers } = this.write(tree, index);
    return { names, numbers };
  }

  /** A sum of many values of a formula: the first terms and the largest. */
  sum(tree: Tree, indices: Index[]): Substituted {
    return this.terms(
      indices.length,
      (term) => this.enclosed(tree, indices[term]!, SUM),
      (term) => this.evaluator.value(tree, indices[term]!),
    );
  }

  private write(tree: Tree, index: Index): Written {
    switch (tree.k) {
      case "value":
        return this.leaf(tree.name + indexText(within(index, tree)), tree, index);
      case "number": {
        const number = constant(numberOf(tree.value));
        return atom(tree.name ?? number, number);
      }
      case "attribute":
        return atom(tree.name, tree.text);
      case "call": {
        const names = `${tree.name}(${tree.args.map(nameOf).join(", ")})${indexText(index)}`;
        return this.leaf(names, tree, index);
      }
      case "add":
      case "sub":
      case "mul":
      case "div": {
        const [sign, strength] = SIGNS[tree.k];
        return this.joined(tree, index, sign, strength);
      }
      case "pow":
        return this.power(tree, index);
      case "neg": {
        const inner = this.enclosed(tree.a, index, SIGN);
        return { names: `−${inner.names}`, numbers: negated(inner.numbers), strength: SIGN };
      }
      case "maximum":
      case "minimum":
        return this.apply(tree.k.slice(0, 3), [tree.a, tree.b], index);
      case "function":
        return this.apply(tree.name, [tree.a], index);
      case "compare":
        return this.joined(tree, index, ` ${tree.op} `, SUM);
      case "and":
      case "or":
        return this.joined(tree, index, ` ${tree.k} `, SUM);
      case "where":
        return this.choice(tree, index);
      case "sum":
      case "mean":
      case "max":
      case "min":
      case "prod":
      case "matmul":
        return this.many(tree, index);
      default:
        return this.write(tree.a, moved(tree, index));
    }
  }

  private leaf(names: string, tree: Tree, index: Index): Written {
    const value = this.evaluator.value(tree, index);
    return atom(names, value === null ? UNKNOWN : brief(value));
  }

  private joined(
    tree: { k: string; a: Tree; b: Tree },
    index: Index,
    sign: string,
    strength: number,
  ): Written {
    const a = this.enclosed(tree.a, within(index, tree.a), strength);
    const tighter = tree.k === "sub" || tree.k === "div" ? strength + 1 : strength;
    const b = this.enclosed(tree.b, within(index, tree.b), tighter);
    return {
      names: a.names + sign + b.names,
      numbers: a.numbers + sign + guarded(b.numbers, sign),
      strength,
    };
  }

  private power(tree: { a: Tree; b: Tree }, index: Index): Written {
    const a = this.enclosed(tree.a, within(index, tree.a), ATOM);
    const b = this.enclosed(tree.b, within(index, tree.b), ATOM);
    const base = a.numbers.startsWith("−") ? `(${a.numbers})` : a.numbers;
    return {
      names: a.names + raised(b.names),
      numbers: base + raised(b.numbers),
      strength: POWER,
    };
  }

  private apply(name: string, operands: Tree[], index: Index): Written {
    const inner = operands.map((each) => this.write(each, within(index, each)));
    const call = (part: keyof Substituted) =>
      `${name}(${inner.map((each) => each[part]).join(", ")})`;
    return { names: call("names"), numbers: call("numbers"), strength: ATOM };
  }

  private choice(tree: { c: Tree; a: Tree; b: Tree }, index: Index): Written {
    const [c, a, b] = [tree.c, tree.a, tree.b].map((each) => this.write(each, within(index, each)));
    const text = (part: keyof Substituted) => `(${a![part]} if ${c![part]} else ${b![part]})`;
    return { names: text("names"), numbers: text("numbers"), strength: ATOM };
  }

  private many(tree: Tree, index: Index): Written {
    const terms = termsOf(tree, index);
    if (!terms) return atom(UNKNOWN, UNKNOWN);
    const product = (term: number) => {
      const factors = terms.at(term).map((each) => this.enclosed(each.tree, each.index, PRODUCT));
      const join = (part: keyof Substituted) => factors.map((each) => each[part]).join(" · ");
      return { names: join("names"), numbers: join("numbers") };
    };
    const value = (term: number) =>
      terms.at(term).reduce<number | null>((total, each) => {
        const factor = this.evaluator.value(each.tree, each.index);
        return factor === null || total === null ? null : total * factor;
      }, 1);
    if (tree.k === "max" || tree.k === "min" || tree.k === "prod") {
      const { names, numbers } = this.terms(terms.count, product, value, ", ");
      return atom(`${tree.k}(${names})`, `${tree.k}(${numbers})`);
    }
    const { names, numbers } = this.terms(terms.count, product, value);
    if (tree.k !== "mean") return { names, numbers, strength: terms.count > 1 ? SUM : PRODUCT };
    const by = ` / ${terms.count}`;
    return { names: `(${names})${by}`, numbers: `(${numbers})${by}`, strength: PRODUCT };
  }

  private terms(
    count: number,
    write: (term: number) => Substituted,
    value: (term: number) => number | null,
    sign = " + ",
  ): Substituted {
    if (count === 0) return { names: "a sum of nothing", numbers: "0" };
    const chosen = count <= ALL ? range(count) : firstAndLargest(count, value);
    const names: string[] = [],
      numbers: string[] = [];
    let before = -1;
    for (const term of chosen) {
      if (term > before + 1) [names, numbers].forEach((each) => each.push(UNKNOWN));
      const written = write(term);
      names.push(written.names);
      numbers.push(written.numbers);
      before = term;
    }
    if (before < count - 1) [names, numbers].forEach((each) => each.push(UNKNOWN));
    return { names: added(names, sign), numbers: added(numbers, sign) };
  }

  private enclosed(tree: Tree, index: Index, least: number): Substituted {
    const { names, numbers, strength } = this.write(tree, index);
    if (strength >= least) return { names, numbers };
    return { names: `(${names})`, numbers: `(${numbers})` };
  }
}

function atom(names: string, numbers: string): Written {
  return { names, numbers, strength: ATOM };
}

function nameOf(tree: Tree): string {
  if (tree.k === "value") return tree.name;
  if (tree.k === "number") return tree.name ?? constant(numberOf(tree.value));
  return tree.k === "attribute" ? tree.name : UNKNOWN;
}

/** The first terms and those of the largest size, in order. */
function firstAndLargest(count: number, value: (term: number) => number | null): number[] {
  const sizes = range(count).map((term) => ({ term, size: Math.abs(value(term) ?? 0) }));
  const largest = sizes
    .slice(FIRST)
    .sort((a, b) => b.size - a.size)
    .slice(0, LARGEST);
  return [...range(FIRST), ...largest.map((each) => each.term)].sort((a, b) => a - b);
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at);
}

function added(numbers: string[], sign: string): string {
  return numbers.reduce((text, each) =>
    sign === " + " && each.startsWith("−") ? `${text} − ${each.slice(1)}` : text + sign + each,
  );
}

function guarded(number: string, sign: string): string {
  return /[+−]/.test(sign) && number.startsWith("−") ? `(${number})` : number;
}

function negated(number: string): string {
  return number.startsWith("−") ? `−(${number})` : `−${number}`;
}

const RAISED: Record<string, string> = {
  "0": "⁰",
  "1": "¹",
  "2": "²",
  "3": "³",
  "4": "⁴",
  "5": "⁵",
  "6": "⁶",
  "7": "⁷",
  "8": "⁸",
  "9": "⁹",
  "−": "⁻",
};

/** An exponent: raised digits for a whole number, `^x` else. */
function raised(text: string): string {
  return /^−?\d+$/.test(text) ? [...text].map((each) => RAISED[each]).join("") : `^${text}`;
}
