/** The arrays in a page's data, and what is asked of them. */

export type Scalar = number | boolean | "nan" | "inf" | "-inf";

/**
 * An array as Python wrote it: few numbers in plain, many packed (deflated bytes in base64). With a
 * palette, the bytes say which number of that each element is.
 */
export interface PackedArray {
  shape: number[];
  /** The real array's shape, where only its first rows are kept. */
  full: number[];
  dtype: string;
  numbers?: Scalar[];
  packed?: string;
  palette?: string;
  min: number | null;
  max: number | null;
  mean: number | null;
  nan: number;
  inf: number;
  zero: number;
}

/** An array unpacked: `data` holds `shape` in C order. */
export interface Values {
  shape: number[];
  full: number[];
  dtype: string;
  data: ArrayLike<number>;
  min: number | null;
  max: number | null;
  mean: number | null;
  nan: number;
  inf: number;
  zero: number;
}

const NAMED: Record<string, number> = { nan: NaN, inf: Infinity, "-inf": -Infinity };

/** A number that JSON may have no digits for. */
export function numberOf(scalar: Scalar): number {
  return NAMED[String(scalar)] ?? Number(scalar);
}

export function decodeAll(arrays: PackedArray[]): Promise<Values[]> {
  return Promise.all(arrays.map(decode));
}

export async function decode(array: PackedArray): Promise<Values> {
  const { numbers, packed, palette, ...rest } = array;
  if (numbers) {
    return { ...rest, data: numbers.map(numberOf) };
  }
  if (palette) {
    const different = read(await inflate(fromBase64(palette)), array.dtype);
    const which = new Uint8Array(await inflate(fromBase64(packed ?? "")));
    return { ...rest, data: Array.from(which, (at) => different[at]!) };
  }
  return { ...rest, data: read(await inflate(fromBase64(packed ?? "")), array.dtype) };
}

/** Values made on the page, for example by a model that runs there. */
export function valuesOf(data: ArrayLike<number>, shape: number[], dtype = "float32"): Values {
  let min = Infinity,
    max = -Infinity,
    total = 0,
    nan = 0,
    inf = 0,
    zero = 0;
  for (let at = 0; at < data.length; at++) {
    const value = data[at]!;
    if (Number.isNaN(value)) nan++;
    else if (!Number.isFinite(value)) inf++;
    else {
      if (value === 0) zero++;
      total += value;
      min = Math.min(min, value);
      max = Math.max(max, value);
    }
  }
  const finite = data.length - nan - inf;
  const some = <T>(value: T) => (finite ? value : null);
  return {
    shape,
    full: shape,
    dtype,
    data,
    min: some(min),
    max: some(max),
    mean: some(total / finite),
    nan,
    inf,
    zero,
  };
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, each) => product * each, 1);
}

/** The bytes that an element takes. */
export function bytesOf(dtype: string): number {
  return Number(/\d+$/.exec(dtype)?.[0] ?? 8) / 8;
}

/** The position in C order of an element. */
export function flatOf(index: readonly number[], shape: readonly number[]): number {
  return index.reduce((flat, each, dim) => flat * shape[dim]! + each, 0);
}

/** The index of the element at a position in C order. */
export function indexOf(flat: number, shape: readonly number[]): number[] {
  const index = new Array<number>(shape.length);
  for (let dim = shape.length - 1; dim >= 0; dim--) {
    index[dim] = flat % shape[dim]!;
    flat = Math.floor(flat / shape[dim]!);
  }
  return index;
}

export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}

export async function inflate(bytes: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Response(stream).arrayBuffer();
}

/** Little-endian bytes as numbers; every machine that runs a browser is little-endian. */
export function read(bytes: ArrayBuffer, dtype: string): ArrayLike<number> {
  switch (dtype) {
    case "float32":
      return new Float32Array(bytes);
    case "float64":
      return new Float64Array(bytes);
    case "int64":
      return Float64Array.from(new BigInt64Array(bytes), Number);
    case "int32":
      return new Int32Array(bytes);
    default:
      return new Uint8Array(bytes);
  }
}
