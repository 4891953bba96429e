/** An array as a picture, with its scale, and the exact number under the pointer or the keys. */

import type { Values } from "./arrays";
import { indexOf, sizeOf } from "./arrays";
import { make } from "./dom";
import { brief, element as elementText, indexText, plural, shapeText } from "./numbers";
import type { Scale } from "./scale";
import { colours, rgb, scaleOf, stepOf } from "./scale";
import { token } from "./theme";
import type { Sheet } from "./tiling";
import { cellAt, elementAt, flatAt, placeOf, sheetOf, tileAt, tilingOf } from "./tiling";

export interface HeatMapOptions {
  /** What a screen reader calls the picture. */
  label: string;
  /** The room it may take, in CSS pixels. */
  width: number;
  height: number;
  /** The largest side of a cell; 24 by default. */
  cell?: number;
  /** The scale, where several pictures share one. */
  scale?: Scale;
  /** Whether the scale is drawn under the picture; yes by default. */
  legend?: boolean;
  /** Whether pointer and arrow keys read numbers; yes by default. */
  reads?: boolean;
  /** Called with the position in C order of the element that the reader picks. */
  pick?: (flat: number) => void;
}

const repaints = new WeakMap<Element, () => void>();
const SIGNS = 40;

document.addEventListener("themechange", () => {
  document.querySelectorAll("canvas.heat").forEach((each) => repaints.get(each)?.());
});

export class HeatMap {
  readonly element: HTMLElement;
  readonly canvas: HTMLCanvasElement;
  private readonly cursor = make("span.heat-cursor", { hidden: true });
  private readonly readout: HTMLElement | null;
  private readonly legend: HTMLElement | null;
  private sheet: Sheet;
  private scale: Scale;
  private picked: number | null = null;

  constructor(
    private values: Values,
    private readonly options: HeatMapOptions,
  ) {
    const reads = options.reads ?? true;
    this.scale = options.scale ?? scaleOf(values);
    this.sheet = sheetOf(tilingOf(values.shape), options.width, options.height, options.cell);
    this.canvas = make("canvas.heat", { role: reads ? "application" : "img" });
    this.readout = reads ? make("p.heat-readout", { "aria-live": "polite" }) : null;
    this.legend = (options.legend ?? true) ? make("div.heat-legend") : null;
    const frame = make("div.heat-frame", {}, this.canvas, this.cursor);
    this.element = make("div.heat-map", {}, frame, this.legend, this.readout);
    if (reads) this.listen();
    else this.canvas.addEventListener("pointermove", (event) => this.hint(event));
    repaints.set(this.canvas, () => this.paint());
    this.show(values, options.scale);
  }

  /** Shows other numbers of the same shape. */
  show(values: Values, scale?: Scale): void {
    this.values = values;
    this.scale = scale ?? scaleOf(values);
    this.canvas.setAttribute("aria-label", `${this.options.label}, ${describe(values)}`);
    this.paint();
    this.say(this.picked);
  }

  /** Marks an element and reads it out; null marks none. */
  select(flat: number | null): void {
    this.picked = flat;
    const cell = flat === null ? null : cellAt(this.sheet, flat);
    this.cursor.hidden = !cell;
    if (cell) {
      const { width, height, cellWidth, cellHeight } = this.sheet;
      this.cursor.style.left = `${(cell.x / width) * 100}%`;
      this.cursor.style.top = `${(cell.y / height) * 100}%`;
      this.cursor.style.width = `${(cellWidth / width) * 100}%`;
      this.cursor.style.height = `${(cellHeight / height) * 100}%`;
    }
    this.say(flat);
  }

  private listen(): void {
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("aria-roledescription", "heat map");
    this.canvas.addEventListener("pointermove", (event) => this.say(this.under(event), "off"));
    this.canvas.addEventListener("pointerleave", () => this.say(this.picked, "off"));
    this.canvas.addEventListener("click", (event) => this.choose(this.under(event)));
    this.canvas.addEventListener("keydown", (event) => {
      if (!/^(Arrow|Page)/.test(event.key)) return;
      event.preventDefault();
      event.stopPropagation();
      this.choose(this.neighbour(event.key));
    });
  }

  /** Where nothing else reads numbers, the pointer's own label does. */
  private hint(event: PointerEvent): void {
    const flat = this.under(event);
    this.canvas.title = flat === null ? "" : numberAt(this.values, flat);
  }

  private choose(flat: number | null): void {
    if (flat === null) return;
    this.select(flat);
    this.options.pick?.(flat);
  }

  private under(event: MouseEvent): number | null {
    const box = this.canvas.getBoundingClientRect();
    return elementAt(
      this.sheet,
      ((event.clientX - box.left) / box.width) * this.sheet.width,
      ((event.clientY - box.top) / box.height) * this.sheet.height,
    );
  }

  /** The element that an arrow key, Home, End or Page key leads to. */
  private neighbour(key: string): number | null {
    const { tiling, across, shown } = this.sheet;
    const { rows, columns } = tiling;
    const [tile, row, column] = placeOf(tiling, this.picked ?? 0);
    const lineX = (tile % across) * columns + column,
      lineY = Math.floor(tile / across) * rows + row;
    const to = (x: number, y: number) => {
      const next = Math.floor(y / rows) * across + Math.floor(x / columns);
      const inside = x >= 0 && y >= 0 && x < across * columns && next < shown;
      const flat = inside ? flatAt(tiling, next, y % rows, x % columns) : -1;
      return flat >= 0 && flat < sizeOf(this.values.shape) ? flat : null;
    };
    switch (key) {
      case "ArrowLeft":
        return to(lineX - 1, lineY);
      case "ArrowRight":
        return to(lineX + 1, lineY);
      case "ArrowUp":
        return to(lineX, lineY - 1);
      case "ArrowDown":
        return to(lineX, lineY + 1);
      case "PageUp":
        return to(lineX, lineY - rows);
      case "PageDown":
        return to(lineX, lineY + rows);
      default:
        return null;
    }
  }

  private say(flat: number | null, live = "polite"): void {
    if (!this.readout) return;
    this.readout.setAttribute("aria-live", live);
    this.readout.textContent = flat === null ? "" : numberAt(this.values, flat);
  }

  private paint(): void {
    const ratio = Math.min(2, Math.ceil(devicePixelRatio));
    const { width, height } = this.sheet;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    const shrunk = Math.min(1, this.options.width / width, this.options.height / height);
    this.canvas.style.width = `${width * shrunk}px`;
    this.canvas.classList.toggle("shrunk", shrunk < 1);
    this.canvas.style.aspectRatio = `${width} / ${height}`;
    const context = this.canvas.getContext("2d")!;
    context.scale(ratio, ratio);
    paintTiles(context, this.values, this.sheet, this.scale);
    if (this.legend) fillLegend(this.legend, this.values, this.scale);
  }
}

/** An element and its number, exactly: `[3, 1] = −0.6`. */
export function numberAt(values: Values, flat: number): string {
  const value = values.data[flat];
  if (value === undefined) return "";
  const index = indexText(indexOf(flat, values.shape));
  const number = elementText(value, values.dtype, "exact");
  return index ? `${index} = ${number}` : number;
}

function describe(values: Values): string {
  const parts = [shapeText(values.shape), values.dtype];
  if (values.min !== null) parts.push(`from ${brief(values.min)} to ${brief(values.max!)}`);
  if (values.nan) parts.push(`${values.nan} NaN`);
  if (values.inf) parts.push(`${values.inf} infinite`);
  return parts.join(", ");
}

function paintTiles(
  context: CanvasRenderingContext2D,
  values: Values,
  sheet: Sheet,
  scale: Scale,
): void {
  const { tiling, across, cellWidth, cellHeight, shown } = sheet;
  const { rows, columns } = tiling;
  if (!rows || !columns || !shown) return;
  const scratch = new OffscreenCanvas(columns, rows);
  const brush = scratch.getContext("2d")!;
  const picture = brush.createImageData(columns, rows);
  const table = colours(scale),
    odd = rgb(token("heat-nan"));
  const strange: number[] = [];
  context.imageSmoothingEnabled = false;
  for (let tile = 0; tile < shown; tile++) {
    let pixel = 0;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, pixel += 4) {
        const flat = flatAt(tiling, tile, row, column);
        const value = values.data[flat];
        picture.data[pixel + 3] = value === undefined ? 0 : 255;
        if (value === undefined) continue;
        const finite = Number.isFinite(value);
        if (!finite && strange.length < SIGNS) strange.push(flat);
        const from = finite ? table : odd,
          at = finite ? stepOf(scale, value) * 3 : 0;
        picture.data[pixel] = from[at]!;
        picture.data[pixel + 1] = from[at + 1]!;
        picture.data[pixel + 2] = from[at + 2]!;
      }
    }
    brush.putImageData(picture, 0, 0);
    const { x, y } = tileAt(sheet, tile % across, Math.floor(tile / across));
    context.drawImage(scratch, x, y, columns * cellWidth, rows * cellHeight);
  }
  strange.forEach((flat) => paintSign(context, values.data[flat]!, sheet, flat));
}

/** NaN and infinity bear a sign, so that colour is not all that tells them. */
function paintSign(
  context: CanvasRenderingContext2D,
  value: number,
  sheet: Sheet,
  flat: number,
): void {
  const cell = cellAt(sheet, flat);
  if (!cell) return;
  const side = Math.max(9, Math.min(sheet.cellWidth, sheet.cellHeight));
  const x = Math.min(cell.x, sheet.width - side),
    y = Math.min(cell.y, sheet.height - side);
  context.fillStyle = token("heat-nan");
  context.fillRect(x, y, side, side);
  context.fillStyle = token("heat-sign");
  context.font = `bold ${Math.round(side * 0.8)}px sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(signOf(value), x + side / 2, y + side / 2 + 0.5);
}

function signOf(value: number): string {
  if (Number.isNaN(value)) return "×";
  return value > 0 ? "∞" : "−";
}

/** The ends of the scale with its colours between, and what is outside it. */
function fillLegend(legend: HTMLElement, values: Values, scale: Scale): void {
  const bar = make("canvas.heat-bar", { width: 96, height: 1, "aria-hidden": "true" });
  const context = bar.getContext("2d")!;
  const table = colours(scale);
  for (let x = 0; x < 96; x++) {
    const at = Math.round((x / 95) * 255) * 3;
    context.fillStyle = `rgb(${table[at]} ${table[at + 1]} ${table[at + 2]})`;
    context.fillRect(x, 0, 1, 1);
  }
  legend.replaceChildren(
    make("span", {}, brief(scale.low)),
    bar,
    make("span", {}, brief(scale.high)),
  );
  if (values.nan) legend.append(make("span.heat-odd", {}, `× ${values.nan} NaN`));
  if (values.inf) legend.append(make("span.heat-odd", {}, `∞ ${values.inf} infinite`));
  const kept = sizeOf(values.shape),
    whole = sizeOf(values.full);
  if (kept < whole) {
    legend.append(
      make("span", {}, `first ${plural(values.shape[0]!, "row")} of ${values.full[0]}`),
    );
  }
}
