/** Panning and zooming what lies in a frame: pointer, wheel, two fingers, keys. */

import type { Point, Size } from "./layout";

const LEAST = 0.08,
  MOST = 3,
  ZOOM_STEP = 1.25,
  PAN_STEP = 60,
  READABLE = 0.8;
const TOOLS = 44;

export class Viewport {
  private x = 0;
  private y = 0;
  private zoom = 1;
  private content: Size = { width: 1, height: 1 };
  private readonly pointers = new Map<number, Point>();
  private moved = false;

  constructor(
    private readonly frame: HTMLElement,
    private readonly world: HTMLElement,
  ) {
    frame.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    frame.addEventListener("pointerdown", (event) => this.down(event));
    frame.addEventListener("pointermove", (event) => this.move(event));
    for (const end of ["pointerup", "pointercancel", "pointerleave"] as const) {
      frame.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    }
    frame.addEventListener(
      "click",
      (event) => {
        if (this.moved) event.stopPropagation();
      },
      { capture: true },
    );
  }

  /** The room for the graph: the frame above its tools. */
  get size(): Size {
    return { width: this.frame.clientWidth, height: this.frame.clientHeight - TOOLS };
  }

  setContent(content: Size): void {
    this.content = content;
  }

  /** The zoom at which everything is seen. */
  fitting(content: Size, margin = 24): number {
    const { width, height } = this.size;
    return Math.min(1.25, (width - margin) / content.width, (height - margin) / content.height);
  }

  /** Shows everything; where that were too small to read, the part around a point. */
  fit(around: Point | null): void {
    const whole = this.fitting(this.content);
    this.zoom = around ? Math.max(READABLE, whole) : Math.max(LEAST, whole);
    const { width, height } = this.size;
    const centre = { x: this.content.width / 2, y: this.content.height / 2 };
    const along = (frame: number, content: number, middle: number, point: number) => {
      const all = content * this.zoom <= frame;
      const start = frame / 2 - (all ? middle : point) * this.zoom;
      return all ? start : Math.min(12, Math.max(frame - content * this.zoom - 12, start));
    };
    const at = around ?? centre;
    this.x = along(width, this.content.width, centre.x, at.x);
    this.y = along(height, this.content.height, centre.y, at.y);
    this.apply(true);
  }

  /** Moves as little as brings a rectangle into sight. */
  bringIntoSight(place: Point & Size): void {
    const { width, height } = this.size,
      margin = 16;
    const shift = (from: number, length: number, frame: number) => {
      const start = from - margin,
        end = from + length + margin;
      if (start >= 0 && end <= frame) return 0;
      return length + 2 * margin > frame || start < 0 ? -start : frame - end;
    };
    const dx = shift(this.x + place.x * this.zoom, place.width * this.zoom, width);
    const dy = shift(this.y + place.y * this.zoom, place.height * this.zoom, height);
    if (!dx && !dy) return;
    this.x += dx;
    this.y += dy;
    this.apply(true);
  }

  zoomBy(factor: number, at?: Point): void {
    const { width, height } = this.size;
    const point = at ?? { x: width / 2, y: height / 2 };
    const next = Math.min(MOST, Math.max(LEAST, this.zoom * factor));
    this.x = point.x - ((point.x - this.x) * next) / this.zoom;
    this.y = point.y - ((point.y - this.y) * next) / this.zoom;
    this.zoom = next;
    this.apply(!at);
  }

  /** Acts on a key: + − zoom, Shift with an arrow pans. */
  key(event: KeyboardEvent): boolean {
    const pan: Record<string, [number, number]> = {
      ArrowLeft: [1, 0],
      ArrowRight: [-1, 0],
      ArrowUp: [0, 1],
      ArrowDown: [0, -1],
    };
    if (event.key === "+" || event.key === "=") this.zoomBy(ZOOM_STEP);
    else if (event.key === "-") this.zoomBy(1 / ZOOM_STEP);
    else if (event.shiftKey && pan[event.key]) {
      const [dx, dy] = pan[event.key]!;
      this.pan(dx * PAN_STEP, dy * PAN_STEP, true);
    } else return false;
    return true;
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const box = this.frame.getBoundingClientRect();
    const lines = event.deltaMode === 1 ? 16 : 1;
    const factor = Math.exp((-event.deltaY * lines) / (event.ctrlKey ? 120 : 500));
    this.zoomBy(factor, { x: event.clientX - box.left, y: event.clientY - box.top });
  }

  private down(event: PointerEvent): void {
    this.moved = false;
    this.pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  private move(event: PointerEvent): void {
    const before = this.pointers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    if (!this.moved && Math.hypot(now.x - before.x, now.y - before.y) < 4) return;
    if (!this.moved) this.frame.setPointerCapture(event.pointerId);
    this.moved = true;
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const box = this.frame.getBoundingClientRect();
      const middle = { x: (now.x + other.x) / 2 - box.left, y: (now.y + other.y) / 2 - box.top };
      const apart = (point: Point) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
      this.zoomBy(apart(now) / apart(before), middle);
    } else this.pan(now.x - before.x, now.y - before.y, false);
    this.pointers.set(event.pointerId, now);
  }

  private pan(dx: number, dy: number, smooth: boolean): void {
    this.x += dx;
    this.y += dy;
    this.apply(smooth);
  }

  private apply(smooth: boolean): void {
    this.world.classList.toggle("smooth", smooth);
    this.world.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.zoom})`;
  }
}
