/** The canvas to draw on, by pointer, touch or keyboard, and its buttons. */

import { make, makeButton } from "../shared/dom";
import { theme } from "../shared/theme";
import type { Point, Stroke } from "./pen";
import { SHEET, Sheet } from "./pen";
import { digitIn } from "./picture";

export interface Sample {
  label: number;
  /** Shades from 0 to 255. */
  pixels: ArrayLike<number>;
}

const STEP = 7;
/** Which of the samples is the example. */
const EXAMPLE = 3;
const KEYS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
};

export class Pad {
  readonly element: HTMLElement;
  private readonly canvas = make("canvas.pad", {
    width: SHEET, height: SHEET, tabindex: 0, role: "application",
    "aria-label": "Canvas to draw a digit on", "aria-describedby": "pad-keys",
  });
  private readonly cursor = make("span.pen", { hidden: true });
  private readonly told = make("p.out-of-sight", { role: "status" });
  private readonly undo = makeButton("Undo", () => this.back());
  private readonly clear = makeButton("Clear", () => this.empty());
  private readonly sheet = new Sheet();
  private strokes: Stroke[] = [];
  private sample: Sample | null = null;
  /** Whether the sample is the one that the page begins with: it goes when a person draws. */
  private example = false;
  private pen: Point = { x: SHEET / 2, y: SHEET / 4 };
  private down = false;
  private due = 0;

  /** Calls `changed` with the 784 pixels that the model is to see, or null for none. */
  constructor(samples: Sample[], private readonly changed: (pixels: Float64Array | null) => void) {
    this.element = make("div.drawing", {},
      make("div.paper", {}, this.canvas, this.cursor),
      make("div.tools", {}, this.undo, this.clear, this.chooser(samples)),
      make("p.muted.keys", { id: "pad-keys" },
        "Draw with a pointer or a finger; or with the keys: arrows move the pen (with Shift "
        + "further), space puts it down and lifts it."),
      this.told,
    );
    this.listenToPointer();
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("focus", () => this.mark(this.canvas.matches(":focus-visible")));
    this.canvas.addEventListener("blur", () => { this.down = false; this.mark(false); });
    document.addEventListener("themechange", () => this.paint());
    this.load(samples[EXAMPLE % samples.length] ?? null, true);
  }

  /** Begins anew with a picture of 28 × 28. */
  load(sample: Sample | null, example = false): void {
    this.strokes = [];
    this.sample = sample;
    this.example = example;
    this.redraw();
  }

  focus(): void {
    this.canvas.focus({ preventScroll: true });
  }

  private chooser(samples: Sample[]): HTMLElement {
    const buttons = samples.map((sample) => (
      makeButton(String(sample.label), () => this.load(sample), {
        "aria-label": `Load a ${sample.label}`,
      })
    ));
    return make("div.samples", { role: "group", "aria-label": "Load a digit" },
      make("span", {}, "or load a"), ...buttons);
  }

  private listenToPointer(): void {
    let drawing = false;
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.preventDefault();
      this.focus();
      this.mark(false);
      this.canvas.setPointerCapture(event.pointerId);
      drawing = true;
      this.begin(this.under(event));
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!drawing) return;
      const passed = event.getCoalescedEvents?.() ?? [];  // not every browser has it
      for (const each of passed.length ? passed : [event]) this.go(this.under(each));
    });
    for (const kind of ["pointerup", "pointercancel"]) {
      this.canvas.addEventListener(kind, () => { drawing = false; });
    }
  }

  private under(event: PointerEvent): Point {
    const box = this.canvas.getBoundingClientRect();
    return {
      x: ((event.clientX - box.left) / box.width) * SHEET,
      y: ((event.clientY - box.top) / box.height) * SHEET,
    };
  }

  private key(event: KeyboardEvent): void {
    const way = KEYS[event.key];
    if (way && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const step = STEP * (event.shiftKey ? 4 : 1);
      this.pen = { x: inside(this.pen.x + way[0] * step), y: inside(this.pen.y + way[1] * step) };
      if (this.down) this.go(this.pen);
    } else if (event.key === " ") {
      this.down = !this.down;
      if (this.down) this.begin(this.pen);
    } else {
      return;
    }
    event.preventDefault();
    this.mark(true);
    const [across, down] = [this.pen.x, this.pen.y].map((each) => Math.round((each / SHEET) * 100));
    this.told.textContent = `Pen ${this.down ? "down" : "up"}, ${across} % across, ${down} % down`;
  }

  /** Shows or hides where the pen of the keyboard is. */
  private mark(shown: boolean): void {
    this.cursor.hidden = !shown;
    this.cursor.classList.toggle("down", this.down);
    this.cursor.style.left = `${(this.pen.x / SHEET) * 100}%`;
    this.cursor.style.top = `${(this.pen.y / SHEET) * 100}%`;
  }

  private begin(point: Point): void {
    if (this.example) this.load(null);
    this.strokes.push([point]);
    this.sheet.line(point, point);
    this.show();
  }

  private go(point: Point): void {
    const stroke = this.strokes.at(-1)!;
    this.sheet.line(stroke.at(-1)!, point);
    stroke.push(point);
    this.show();
  }

  private back(): void {
    if (this.strokes.length) this.strokes.pop();
    else this.sample = null;
    this.redraw();
  }

  private empty(): void {
    this.load(null);
  }

  private redraw(): void {
    this.sheet.clear();
    if (this.sample) this.sheet.lay(this.sample.pixels);
    this.strokes.forEach((stroke) => this.sheet.stroke(stroke));
    this.show();
  }

  private show(): void {
    cancelAnimationFrame(this.due);
    this.due = requestAnimationFrame(() => {
      this.paint();
      const nothing = !this.strokes.length && !this.sample;
      this.undo.disabled = this.clear.disabled = nothing;
      this.changed(nothing ? null : this.pixels());
    });
  }

  /** A sample that nothing was drawn on is what the model sees as it is. */
  private pixels(): Float64Array | null {
    if (this.sample && !this.strokes.length) {
      return Float64Array.from(this.sample.pixels, (shade) => shade / 256);
    }
    return digitIn({ width: SHEET, height: SHEET, data: Float64Array.from(this.sheet.shades) });
  }

  /** Ink is dark on light paper, or light on dark. */
  private paint(): void {
    const picture = new ImageData(SHEET, SHEET), dark = theme() === "dark";
    const words = new Uint32Array(picture.data.buffer);
    for (let at = 0; at < words.length; at++) {
      const ink = this.sheet.shades[at]!;
      words[at] = 0xff000000 + 0x010101 * (dark ? ink : 255 - ink);
    }
    this.canvas.getContext("2d")!.putImageData(picture, 0, 0);
  }
}

function inside(place: number): number {
  return Math.min(Math.max(place, 0), SHEET);
}
