/** The trained model, run in the page: forward to the scores, and back to the pixels. */

import { fromBase64, inflate, read } from "../shared/arrays";
import { SIDE } from "./picture";

export interface Packed {
  shape: number[];
  dtype: string;
  packed: string;
}

export interface LayerData {
  kind: "linear" | "relu" | "conv2d" | "mean";
  weight?: Packed;
  bias?: Packed;
  stride?: number;
  padding?: number;
}

export interface ModelData {
  name: "logistic" | "mlp" | "cnn";
  layers: LayerData[];
}

type Numbers = ArrayLike<number>;

/** What a layer makes of its input, and the way back from a gradient by what it made. */
interface Layer {
  forward(input: Numbers): Float64Array;
  backward(input: Numbers, gradient: Float64Array): Float64Array;
  /** What the layer's bias gives to a score whose gradient by the layer's output is this. */
  fromBias(gradient: Float64Array): number;
}

/** How a score came about: its gradient by the pixels, and what the biases give to it. */
export interface Derivation {
  gradient: Float64Array;
  bias: number;
}

export class Model {
  constructor(readonly name: ModelData["name"], private readonly layers: Layer[]) {}

  /** The ten scores of 784 pixels. */
  scores(pixels: Numbers): Float64Array {
    return this.activations(pixels).at(-1) as Float64Array;
  }

  /** For each of some digits, how its score came about. */
  derive(pixels: Numbers, digits: number[]): Derivation[] {
    const activations = this.activations(pixels);
    return digits.map((digit) => {
      let gradient: Float64Array = new Float64Array(activations.at(-1)!.length);
      gradient[digit] = 1;
      let bias = 0;
      for (let at = this.layers.length - 1; at >= 0; at--) {
        const layer = this.layers[at]!;
        bias += layer.fromBias(gradient);
        gradient = layer.backward(activations[at]!, gradient);
      }
      return { gradient, bias };
    });
  }

  private activations(pixels: Numbers): Numbers[] {
    const all: Numbers[] = [pixels];
    for (const layer of this.layers) all.push(layer.forward(all.at(-1)!));
    return all;
  }
}

/** Each digit's share of certainty: softmax of the scores. */
export function probabilities(scores: Float64Array): Float64Array {
  const most = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - most));
  const total = powers.reduce((sum, power) => sum + power, 0);
  return powers.map((power) => power / total);
}

export async function modelOf(data: ModelData): Promise<Model> {
  const layers: Layer[] = [];
  let side = SIDE, channels = 1;
  for (const each of data.layers) {
    if (each.kind === "relu") layers.push(relu);
    else if (each.kind === "mean") layers.push(new Mean(channels));
    else {
      const [weight, bias] = await Promise.all([unpacked(each.weight!), unpacked(each.bias!)]);
      if (each.kind === "linear") layers.push(new Linear(weight, bias));
      else {
        const made = new Conv2d(weight, bias, channels, side, each.stride!, each.padding!);
        layers.push(made);
        side = made.outputSide;
        channels = bias.length;
      }
    }
  }
  return new Model(data.name, layers);
}

export async function unpacked(array: Packed): Promise<Numbers> {
  return read(await inflate(fromBase64(array.packed)), array.dtype);
}

function dot(a: Numbers, b: Numbers): number {
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += a[at]! * b[at]!;
  return sum;
}

class Linear implements Layer {
  constructor(private readonly weight: Numbers, private readonly bias: Numbers) {}

  forward(input: Numbers): Float64Array {
    const output = Float64Array.from(this.bias);
    for (let to = 0; to < output.length; to++) {
      const row = to * input.length;
      for (let from = 0; from < input.length; from++) {
        output[to]! += this.weight[row + from]! * input[from]!;
      }
    }
    return output;
  }

  backward(input: Numbers, gradient: Float64Array): Float64Array {
    const back = new Float64Array(input.length);
    gradient.forEach((each, to) => {
      if (each === 0) return;
      const row = to * input.length;
      for (let from = 0; from < input.length; from++) {
        back[from]! += this.weight[row + from]! * each;
      }
    });
    return back;
  }

  fromBias(gradient: Float64Array): number {
    return dot(gradient, this.bias);
  }
}

const relu: Layer = {
  forward: (input) => Float64Array.from(input, (each) => Math.max(each, 0)),
  backward: (input, gradient) => gradient.map((each, at) => (input[at]! > 0 ? each : 0)),
  fromBias: () => 0,
};

/** The average of each channel. */
class Mean implements Layer {
  constructor(private readonly channels: number) {}

  forward(input: Numbers): Float64Array {
    const size = input.length / this.channels;
    const output = new Float64Array(this.channels);
    for (let at = 0; at < input.length; at++) output[Math.floor(at / size)]! += input[at]! / size;
    return output;
  }

  backward(input: Numbers, gradient: Float64Array): Float64Array {
    const size = input.length / this.channels;
    return Float64Array.from(input, (_, at) => gradient[Math.floor(at / size)]! / size);
  }

  fromBias(): number {
    return 0;
  }
}

/** A convolution of square images by square kernels, as a list of all its products. */
class Conv2d implements Layer {
  readonly outputSide: number;
  /** For each product the place of its output, of its input and of its weight. */
  private readonly to: Int32Array;
  private readonly from: Int32Array;
  private readonly by: Int32Array;

  constructor(
    private readonly weight: Numbers, private readonly bias: Numbers,
    channels: number, side: number, stride: number, padding: number,
  ) {
    const kernel = Math.sqrt(weight.length / bias.length / channels);
    this.outputSide = Math.floor((side + 2 * padding - kernel) / stride) + 1;
    const products = productsOf(
      bias.length, channels, kernel, side, this.outputSide, stride, padding,
    );
    const column = (which: number) => Int32Array.from(products, (product) => product[which]!);
    this.to = column(0);
    this.from = column(1);
    this.by = column(2);
  }

  forward(input: Numbers): Float64Array {
    const { to, from, by, weight, bias } = this;
    const area = this.outputSide ** 2;
    const output = new Float64Array(bias.length * area);
    for (let at = 0; at < output.length; at++) output[at] = bias[Math.floor(at / area)]!;
    for (let at = 0; at < to.length; at++) output[to[at]!]! += weight[by[at]!]! * input[from[at]!]!;
    return output;
  }

  backward(input: Numbers, gradient: Float64Array): Float64Array {
    const { to, from, by, weight } = this;
    const back = new Float64Array(input.length);
    for (let at = 0; at < to.length; at++) {
      back[from[at]!]! += weight[by[at]!]! * gradient[to[at]!]!;
    }
    return back;
  }

  fromBias(gradient: Float64Array): number {
    const area = this.outputSide ** 2;
    return gradient.reduce((sum, each, at) => sum + each * this.bias[Math.floor(at / area)]!, 0);
  }
}

/** Every product of a convolution: an output, the input under it, and the weight between them. */
function productsOf(
  filters: number, channels: number, kernel: number, side: number, outputSide: number,
  stride: number, padding: number,
): [number, number, number][] {
  const products: [number, number, number][] = [];
  for (let to = 0; to < filters * outputSide ** 2; to++) {
    const filter = Math.floor(to / outputSide ** 2), place = to % outputSide ** 2;
    const top = Math.floor(place / outputSide) * stride - padding;
    const left = (place % outputSide) * stride - padding;
    for (let within = 0; within < channels * kernel ** 2; within++) {
      const channel = Math.floor(within / kernel ** 2);
      const y = top + Math.floor((within % kernel ** 2) / kernel), x = left + (within % kernel);
      if (y < 0 || y >= side || x < 0 || x >= side) continue;
      const from = (channel * side + y) * side + x;
      products.push([to, from, filter * channels * kernel ** 2 + within]);
    }
  }
  return products;
}
