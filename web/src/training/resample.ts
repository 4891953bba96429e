/** Pictures made smaller by Lanczos' filter, as Pillow does it to pictures of float32 shades. */

export interface Picture {
  width: number;
  height: number;
  /** Shades, row after row. */
  data: Float64Array;
}

const SUPPORT = 3;

/** Across first, then down; each pass is rounded to float32. */
export function resized(picture: Picture, width: number, height: number): Picture {
  const shades = { ...picture, data: picture.data.map(Math.fround) };
  const narrow = width === picture.width ? shades : across(shades, width);
  return height === picture.height ? narrow : turned(across(turned(narrow), height));
}

function across({ data, width: length, height }: Picture, width: number): Picture {
  const small = new Float64Array(width * height);
  for (let column = 0; column < width; column++) {
    const { first, weights } = window(length, width, column);
    for (let row = 0; row < height; row++) {
      const start = row * length + first;
      let sum = 0;
      for (let at = 0; at < weights.length; at++) sum += data[start + at]! * weights[at]!;
      small[row * width + column] = Math.fround(sum);
    }
  }
  return { width, height, data: small };
}

/** Which pixels one of the smaller picture is made of, and how much each counts. */
function window(length: number, width: number, column: number) {
  const scale = length / width, stretch = Math.max(scale, 1);
  const centre = (column + 0.5) * scale, support = SUPPORT * stretch;
  const first = Math.max(0, Math.trunc(centre - support + 0.5));
  const end = Math.min(length, Math.trunc(centre + support + 0.5));
  const weights: number[] = [];
  for (let at = first; at < end; at++) weights.push(lanczos((at - centre + 0.5) * (1 / stretch)));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return { first, weights: weights.map((weight) => weight / total) };
}

function lanczos(x: number): number {
  return x >= -SUPPORT && x < SUPPORT ? sinc(x) * sinc(x / SUPPORT) : 0;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
}

function turned({ data, width, height }: Picture): Picture {
  const other = new Float64Array(data.length);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      other[column * height + row] = data[row * width + column]!;
    }
  }
  return { width: height, height: width, data: other };
}
