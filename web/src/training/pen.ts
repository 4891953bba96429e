/** Ink on a square of pixels: a round pen moved along straight lines. */

export interface Point {
  x: number;
  y: number;
}

/** The points that the pen passed without being lifted. */
export type Stroke = Point[];

/** Pixels a side of the square that is drawn on. */
export const SHEET = 280;
const RADIUS = 11;

export class Sheet {
  /** Shades from 0, the ground, to 255. */
  readonly shades = new Uint8Array(SHEET * SHEET);

  clear(): void {
    this.shades.fill(0);
  }

  /** A picture of 28 × 28, each of its pixels a square of ten. */
  lay(pixels: ArrayLike<number>): void {
    const scale = SHEET / 28;
    for (let at = 0; at < this.shades.length; at++) {
      const row = Math.floor(at / SHEET / scale), column = Math.floor((at % SHEET) / scale);
      this.shades[at] = pixels[row * 28 + column]!;
    }
  }

  /** Ink from one point to another; from a point to itself, a dot. */
  line(from: Point, to: Point): void {
    const reach = RADIUS + 1;
    const top = bound(Math.min(from.y, to.y) - reach);
    const bottom = bound(Math.max(from.y, to.y) + reach);
    const left = bound(Math.min(from.x, to.x) - reach);
    const right = bound(Math.max(from.x, to.x) + reach);
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) {
        const cover = RADIUS + 0.5 - distance({ x: x + 0.5, y: y + 0.5 }, from, to);
        const shade = Math.round(255 * Math.min(Math.max(cover, 0), 1));
        const at = y * SHEET + x;
        if (shade > this.shades[at]!) this.shades[at] = shade;
      }
    }
  }

  stroke(points: Stroke): void {
    points.forEach((point, at) => this.line(points[Math.max(at - 1, 0)]!, point));
  }
}

function bound(place: number): number {
  return Math.min(Math.max(Math.floor(place), 0), SHEET);
}

/** How far a point is from the line between two others. */
function distance(point: Point, from: Point, to: Point): number {
  const dx = to.x - from.x, dy = to.y - from.y;
  const length = dx * dx + dy * dy;
  const along = length ? ((point.x - from.x) * dx + (point.y - from.y) * dy) / length : 0;
  const share = Math.min(Math.max(along, 0), 1);
  return Math.hypot(point.x - from.x - share * dx, point.y - from.y - share * dy);
}
