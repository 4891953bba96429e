/** How numbers, shapes, sizes and times are written on the pages. */

const MINUS = "\u2212";

const SHORT = 6,
  LONG = 10;

/** The shortest decimal that reads back as the same number of this dtype. */
export function exact(value: number, dtype = "float32"): string {
  if (dtype !== "float32" || !Number.isFinite(value) || Number.isInteger(value)) {
    return typeset(value, String(value));
  }
  for (let digits = 1; digits <= 9; digits++) {
    const text = value.toPrecision(digits);
    if (Math.fround(Number(text)) === value) return typeset(value, String(Number(text)));
  }
  return typeset(value, String(value));
}

/** The number itself where six digits (or so many) say it, else its first four: `0.2`, `0.2000`. */
export function brief(value: number, short = SHORT): string {
  const all = exact(value || 0);
  if (!Number.isFinite(value) || all.replace(/e.*|\D/g, "").length <= short) return all;
  const four = value.toPrecision(4);
  return typeset(value, four.includes("e+") ? String(Number(four)) : four);
}

/** A number of a program or a formula, as it stands there unless that is long. */
export function constant(value: number): string {
  return brief(value, LONG);
}

/** An element of an array of this dtype, as Python's: `True` and `False` for bool. */
export function element(value: number, dtype: string, digits: "exact" | "brief"): string {
  if (dtype === "bool") return value ? "True" : "False";
  return digits === "exact" ? exact(value, dtype) : brief(value);
}

/** A shape as Python writes it: `()`, `(3,)`, `(784, 10)`. */
export function shapeText(shape: readonly number[]): string {
  return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
}

/** An index behind a name: nothing for a scalar, `[3, 1]` else. */
export function indexText(index: readonly number[]): string {
  return index.length ? `[${index.join(", ")}]` : "";
}

/** A count with commas between thousands. */
export function countText(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A count and its noun: `1 node`, `12 nodes`. */
export function plural(count: number, noun: string, nouns = `${noun}s`): string {
  return `${countText(count)} ${count === 1 ? noun : nouns}`;
}

export function bytesText(bytes: number): string {
  if (bytes < 1000) return plural(bytes, "byte");
  if (bytes < 1e6) return `${brief(Number((bytes / 1e3).toPrecision(3)))} KB`;
  return `${brief(Number((bytes / 1e6).toPrecision(3)))} MB`;
}

export function secondsText(seconds: number): string {
  const three = (value: number) => String(Number(value.toPrecision(3)));
  if (seconds < 1e-3) return `${three(seconds * 1e6)} µs`;
  if (seconds < 1) return `${three(seconds * 1e3)} ms`;
  return `${three(seconds)} s`;
}

function typeset(value: number, text: string): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : `${MINUS}∞`;
  if (Object.is(value, -0)) return `${MINUS}0`;
  return text.replace("e+", "e").replaceAll("-", MINUS);
}
