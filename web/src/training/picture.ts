/**
 * A drawing made as MNIST's pictures are, by the steps of `tinygrad_mnist/app/pictures.py`: light
 * ink on black, the digit alone in a box of 20 × 20, its centre of mass in the middle of 28 × 28.
 */

import { resized, type Picture } from "./resample";

export const SIDE = 28;
export const PIXELS = SIDE * SIDE;
const BOX = 20;
const FAINT = 16;
const INKED = 0.1;
const ROUNDING = 1e-9;

/** The digit in whole shades from 0 to 255: 784 numbers, pixel / 256; null where there is none. */
export function digitIn(grey: Picture): Float64Array | null {
  const light = lightOnDark(grey);
  const ground = median(frame(light));
  const ink = mapped(light, (shade) => Math.max(shade - ground, 0));
  if (largest(ink.data) < FAINT) return null;
  const small = light.width === SIDE && light.height === SIDE;
  const digit = small ? light : centred(boxed(withoutGround(ink)));
  return digit.data.map((shade) => roundToEven(shade) / 256);
}

/** Inverted if what is on its ground is darker than that. */
function lightOnDark(picture: Picture): Picture {
  const ground = median(frame(picture));
  const shades = Uint8Array.from(picture.data).sort();
  const darkest = percentile(shades, 0.1), lightest = percentile(shades, 99.9);
  if (ground - darkest <= lightest - ground) return picture;
  return mapped(picture, (shade) => 255 - shade);
}

/** The outermost pixels, sorted. */
function frame({ data, width, height }: Picture): Float64Array {
  const last = (height - 1) * width;
  const rows = [...data.subarray(0, width), ...data.subarray(last, last + width)];
  for (let row = 0; row < height; row++) {
    rows.push(data[row * width]!, data[row * width + width - 1]!);
  }
  return Float64Array.from(rows).sort();
}

/** The ink from 0 to 1, without what the ground has of it too. */
function withoutGround(ink: Picture): Picture {
  const most = largest(ink.data);
  const share = mapped(ink, (each) => each / most);
  const floor = Math.min(0.5, 0.05 + 1.5 * percentile(frame(share), 95));
  return mapped(share, (each) => clamp((each - floor) / (1 - floor), 0, 1));
}

/** The digit alone, its longer side 20 pixels, from 0 to 255. */
function boxed(ink: Picture): Picture {
  let top = ink.height, bottom = -1, left = ink.width, right = -1;
  for (let row = 0; row < ink.height; row++) {
    for (let column = 0; column < ink.width; column++) {
      if (ink.data[row * ink.width + column]! <= INKED) continue;
      top = Math.min(top, row);
      bottom = Math.max(bottom, row);
      left = Math.min(left, column);
      right = Math.max(right, column);
    }
  }
  const width = right - left + 1, height = bottom - top + 1;
  const digit = { width, height, data: new Float64Array(width * height) };
  for (let row = 0; row < height; row++) {
    const start = (top + row) * ink.width + left;
    digit.data.set(ink.data.subarray(start, start + width), row * width);
  }
  const scale = BOX / Math.max(height, width);
  const small = resized(digit, side(width * scale), side(height * scale));
  const most = largest(small.data);
  return mapped(small, (each) => Math.max(each, 0) * (255 / most));
}

function side(length: number): number {
  return Math.max(1, roundToEven(length));
}

/** The digit in 28 × 28 pixels, its centre of mass in the middle as far as it fits. */
function centred(digit: Picture): Picture {
  let mass = 0, across = 0, down = 0;
  digit.data.forEach((shade, at) => {
    mass += shade;
    across += shade * ((at % digit.width) + 0.5);
    down += shade * (Math.floor(at / digit.width) + 0.5);
  });
  const left = corner(across / mass, digit.width), top = corner(down / mass, digit.height);
  const data = new Float64Array(PIXELS);
  for (let row = 0; row < digit.height; row++) {
    const shades = digit.data.subarray(row * digit.width, (row + 1) * digit.width);
    data.set(shades, (top + row) * SIDE + left);
  }
  return { width: SIDE, height: SIDE, data };
}

function corner(centre: number, length: number): number {
  return clamp(Math.ceil(SIDE / 2 - centre - ROUNDING), 0, SIDE - length);
}

function mapped({ data, width, height }: Picture, each: (shade: number) => number): Picture {
  return { width, height, data: data.map((shade) => each(shade)) };
}

function median(sorted: Float64Array): number {
  return percentile(sorted, 50);
}

/** As NumPy's: between the two nearest of the sorted numbers. */
function percentile(sorted: Float64Array | Uint8Array, percent: number): number {
  const place = (percent / 100) * (sorted.length - 1);
  const before = Math.floor(place), share = place - before;
  const low = sorted[before]!, high = sorted[Math.min(before + 1, sorted.length - 1)]!;
  return share < 0.5 ? low + (high - low) * share : high - (high - low) * (1 - share);
}

function largest(data: Float64Array): number {
  return data.reduce((most, each) => Math.max(most, each), -Infinity);
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}

/** As NumPy and Python round: a half goes to the even neighbour. */
function roundToEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
