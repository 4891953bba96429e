/** How a gradient's shape is brought back to its input's: a drawing of the axes. */

import { makeSvg } from "../shared/dom";
import { shapeText } from "../shared/numbers";
import type { Contribution } from "./types";

const WIDTH = 46,
  HEIGHT = 26,
  GAP = 8,
  ROW = 62,
  SIGN = 40;

/** A sentence on what happened to the axes; null where nothing did. */
export function broadcastWords(each: Contribution, shape: number[]): string | null {
  const { raw_shape: raw, summed, stretched } = each;
  if (isSameNumbers(each, shape)) return null;
  if (summed.length) {
    return (
      `Forwards this input was stretched from ${shapeText(shape)} to ${shapeText(raw)}, ` +
      `so backwards the gradient is summed over ${dims(summed)}.`
    );
  }
  if (stretched.length) {
    return (
      `Forwards ${dims(stretched)} of ${shapeText(shape)} became one number, ` +
      "so backwards each of its elements gets that number's gradient."
    );
  }
  return null;
}

/** Whether only the shape changes: nothing is added up and nothing repeated. */
function isSameNumbers(
  { raw_shape: raw, summed, stretched }: Contribution,
  shape: number[],
): boolean {
  return summed.every((dim) => raw[dim] === 1) && stretched.every((dim) => shape[dim] === 1);
}

function dims(list: number[]): string {
  return list.length === 1 ? `dimension ${list[0]}` : `dimensions ${list.join(" and ")}`;
}

/** The axes before and after: those that are summed or stretched are hatched and lead to Σ or ×. */
export function broadcastDrawing(each: Contribution, shape: number[]): SVGSVGElement | null {
  const { raw_shape: raw, summed, stretched } = each;
  if (isSameNumbers(each, shape)) return null;
  const columns = Math.max(raw.length, shape.length, 1);
  const width = columns * (WIDTH + GAP) + SIGN;
  const svg = makeSvg("svg", {
    class: "axes",
    role: "img",
    "aria-label": broadcastWords(each, shape)!,
    viewBox: `0 0 ${width} ${ROW + HEIGHT + 2}`,
    width,
    height: ROW + HEIGHT + 2,
  });
  const changed = summed.length ? summed : stretched;
  const wide = summed.length ? raw : shape,
    narrow = summed.length ? shape : raw;
  const kept = pairing(wide, narrow, changed);
  const wideAt = summed.length ? 1 : ROW,
    narrowAt = summed.length ? ROW : 1;
  wide.forEach((length, dim) => {
    const x = dim * (WIDTH + GAP) + GAP / 2,
      isChanged = changed.includes(dim);
    svg.append(...axis(x, wideAt, length, isChanged));
    const y = 1 + HEIGHT;
    if (isChanged) {
      const sign = summed.length ? "Σ" : `× ${length}`;
      svg.append(
        makeSvg("path", { class: "axis-line changed", d: `M${x + WIDTH / 2} ${y}V${ROW}` }),
        makeSvg("text", { class: "axis-sign", x: x + WIDTH / 2 + 5, y: y + 22 }, sign),
      );
    }
    const partner = kept.get(dim);
    if (partner === undefined) return;
    svg.append(...axis(x, narrowAt, narrow[partner]!, false));
    if (!isChanged) {
      svg.append(makeSvg("path", { class: "axis-line", d: `M${x + WIDTH / 2} ${y}V${ROW}` }));
    }
  });
  return svg;
}

/** Which axis of the narrow shape each axis of the wide one is. */
function pairing(wide: number[], narrow: number[], changed: number[]): Map<number, number> {
  const pairs = new Map<number, number>();
  const dropped = wide.length - narrow.length;
  const gone = new Set(changed.slice(0, Math.max(0, dropped)));
  let next = 0;
  wide.forEach((_, dim) => {
    if (!gone.has(dim)) pairs.set(dim, next++);
  });
  return pairs;
}

function axis(x: number, y: number, length: number, changed: boolean): SVGElement[] {
  return [
    makeSvg("rect", {
      class: changed ? "axis changed" : "axis",
      x,
      y,
      width: WIDTH,
      height: HEIGHT,
      rx: 4,
    }),
    makeSvg("text", { class: "axis-length", x: x + WIDTH / 2, y: y + 17.5 }, String(length)),
  ];
}
