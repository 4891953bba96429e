/** Colours for numbers: one scale for an array, the same in its picture and its legend. */

import type { Values } from "./arrays";
import { token } from "./theme";

/** `diverging`: both signs, zero in the middle. `ink`: no negatives. `negative`: no positives. */
export interface Scale {
  kind: "diverging" | "ink" | "negative";
  low: number;
  high: number;
}

const STEPS = 256;
const TOKENS = {
  diverging: [
    "heat-negative",
    "heat-negative-half",
    "heat-zero",
    "heat-positive-half",
    "heat-positive",
  ],
  ink: ["heat-empty", "heat-ink"],
  negative: ["heat-negative", "heat-negative-half", "heat-zero"],
};

type Range = Pick<Values, "min" | "max">;

/** The scale of an array, or of several that are to be compared. */
export function scaleOf(...ranges: Range[]): Scale {
  const min = Math.min(...ranges.map((each) => each.min ?? Infinity));
  const max = Math.max(...ranges.map((each) => each.max ?? -Infinity));
  if (min > max) return { kind: "ink", low: 0, high: 1 };
  if (min < 0 && max > 0) {
    const most = Math.max(-min, max);
    return { kind: "diverging", low: -most, high: most };
  }
  if (max > 0 || min === 0) {
    if (min === max) return { kind: "ink", low: 0, high: 2 * max || 1 };
    return { kind: "ink", low: min < max / 2 ? 0 : min, high: max };
  }
  return { kind: "negative", low: min, high: max > min / 2 || min === max ? 0 : max };
}

/** Where a number stands on its scale, from 0 to 1. */
export function placeOn(scale: Scale, value: number): number {
  const place = (value - scale.low) / (scale.high - scale.low || 1);
  return Math.min(1, Math.max(0, place));
}

/** The scale's colours in the theme of now, red, green, blue for each of 256 steps. */
export function colours(scale: Scale): Uint8ClampedArray {
  const stops = TOKENS[scale.kind].map((name) => rgb(token(name)));
  const table = new Uint8ClampedArray(STEPS * 3);
  for (let step = 0; step < STEPS; step++) {
    const at = (step / (STEPS - 1)) * (stops.length - 1);
    const left = Math.min(Math.floor(at), stops.length - 2);
    for (let channel = 0; channel < 3; channel++) {
      const from = stops[left]![channel]!,
        to = stops[left + 1]![channel]!;
      table[step * 3 + channel] = from + (to - from) * (at - left);
    }
  }
  return table;
}

/** A colour written `#rrggbb` as its three numbers. */
export function rgb(colour: string): [number, number, number] {
  const number = parseInt(colour.slice(1), 16);
  return [number >> 16, (number >> 8) & 255, number & 255];
}

/** The step of the table of colours that a number takes. */
export function stepOf(scale: Scale, value: number): number {
  return Math.round(placeOn(scale, value) * (STEPS - 1));
}
