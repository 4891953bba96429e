/** Loss and accuracy over the epochs: two charts, and the same numbers as a table. */

import { make, makeSvg } from "../shared/dom";
import { brief } from "../shared/numbers";
import type { Epoch, TrainingData } from "./page";

interface Line {
  name: string;
  style: "train" | "valid" | "batch";
  points: [number, number][];
  /** The least and the largest around each point. */
  band?: [number, number, number][];
  dots: boolean;
}

interface Chart {
  title: string;
  unit: string;
  lines: Line[];
  /** Epochs along the axis. */
  epochs: number;
  ticks: number[];
  low: number;
  high: number;
  /** Where a value stands, between the chart's lowest and highest, from 0 to 1. */
  place: (value: number) => number;
  text: (value: number) => string;
}

const MOST_DOTS = 40;

export function curvesSection(data: TrainingData): HTMLElement {
  const { history } = data;
  const epochs = Number(data.settings.epochs);
  const section = make("section.card", { "aria-labelledby": "curves" },
    make("h2", { id: "curves" }, "Loss and accuracy"));
  if (!history.length) section.append(make("p.muted", {}, "No epoch has been completed."));
  const charts = make("div.charts");
  if (history.length || data.batches.epochs.length > 1) {
    charts.append(drawn(lossChart(data, epochs)));
  }
  if (history.length) charts.append(drawn(accuracyChart(history, epochs)));
  section.append(charts);
  if (history.length) section.append(tableOf(history));
  return section;
}

function lossChart(data: TrainingData, epochs: number): Chart {
  const { batches, history } = data;
  const band = batches.epochs.map((epoch, at): [number, number, number] => (
    [epoch, batches.least[at]!, batches.most[at]!]
  ));
  const lines: Line[] = [
    { name: "batches: mean and range", style: "batch", dots: false, band,
      points: batches.epochs.map((epoch, at) => [epoch, batches.means[at]!]) },
    ...ofEpochs(history, "train_loss", "valid_loss"),
  ];
  const values = lines.flatMap((line) => line.points.map(([, value]) => value))
    .concat(band.flatMap(([, low, high]) => [low, high])).filter((value) => value > 0);
  const low = Math.min(...values), high = Math.max(...values);
  const ticks = logarithmic(low, high);
  const bottom = Math.log(Math.min(low, ticks[0] ?? low));
  const top = Math.log(Math.max(high, ticks.at(-1) ?? high));
  return {
    title: "Loss", unit: "mean cross-entropy, log scale", lines, epochs, ticks, low, high,
    place: (value) => (Math.log(Math.max(value, 1e-30)) - bottom) / (top - bottom || 1),
    text: brief,
  };
}

function accuracyChart(history: Epoch[], epochs: number): Chart {
  const lines = ofEpochs(history, "train_accuracy", "valid_accuracy");
  const values = lines.flatMap((line) => line.points.map(([, value]) => value));
  const least = Math.min(...values, 1);
  const step = [0.01, 0.02, 0.05, 0.1, 0.2].find((each) => (1 - least) / each <= 5) ?? 0.25;
  const low = Math.max(0, Math.floor(least / step) * step);
  const ticks: number[] = [];
  for (let tick = low; tick < 1 + step / 2; tick += step) ticks.push(Math.min(tick, 1));
  return {
    title: "Accuracy", unit: "share of digits told right", lines, epochs, ticks, low, high: 1,
    place: (value) => (value - low) / (1 - low || 1),
    text: (value) => `${brief(value * 100)} %`,
  };
}

function ofEpochs(history: Epoch[], train: keyof Epoch, valid: keyof Epoch): Line[] {
  const of = (name: keyof Epoch, style: "train" | "valid"): Line => ({
    name: style === "train" ? "training digits" : "validation digits", style,
    dots: history.length <= MOST_DOTS,
    points: history.flatMap((epoch): [number, number][] => {
      const value = epoch[name];
      return value === null ? [] : [[epoch.epoch, value]];
    }),
  });
  return [of(train, "train"), of(valid, "valid")];
}

/** Round numbers between two, evenly apart on a logarithmic scale. */
function logarithmic(low: number, high: number): number[] {
  const decades = Math.log10(high / low);
  const digits = decades > 3 ? [1] : decades > 1.2 ? [1, 3] : [1, 1.5, 2, 3, 4, 6, 8];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    ticks.push(...digits.map((digit) => Number((digit * 10 ** power).toPrecision(3))));
  }
  const below = ticks.filter((tick) => tick <= low).at(-1);
  const above = ticks.find((tick) => tick >= high);
  return ticks.filter((tick) => tick >= (below ?? low) && tick <= (above ?? high));
}

function drawn(chart: Chart): HTMLElement {
  const legend = make("div.legend", { "aria-hidden": "true" }, ...chart.lines.map((line) => (
    make("span", { class: line.style }, line.name)
  )));
  const room = make("div.chart");
  const figure = make("figure", {},
    make("figcaption", {}, make("h3", {}, chart.title), make("span.muted", {}, chart.unit)),
    room, legend);
  let width = 0;
  new ResizeObserver(() => {
    if (Math.abs(room.clientWidth - width) < 1) return;
    width = room.clientWidth;
    room.replaceChildren(svgOf(chart, width, room.clientHeight));
  }).observe(room);
  return figure;
}

function svgOf(chart: Chart, width: number, height: number): SVGSVGElement {
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  const left = 3.4 * rem, right = 0.9 * rem, top = 0.6 * rem, bottom = 2.8 * rem;
  const x = (epoch: number) => left + (epoch / chart.epochs) * (width - left - right);
  const y = (value: number) => height - bottom - chart.place(value) * (height - top - bottom);
  const svg = makeSvg("svg", { width, height, role: "img", "aria-label": told(chart) });
  for (const tick of chart.ticks) {
    svg.append(
      makeSvg("line", { class: "grid", x1: left, x2: width - right, y1: y(tick), y2: y(tick) }),
      label(chart.text(tick), left - 0.4 * rem, y(tick), "end"),
    );
  }
  const floor = height - bottom;
  for (const epoch of epochTicks(chart.epochs, (width - left - right) / (2.5 * rem))) {
    const place = { x1: x(epoch), x2: x(epoch), y1: floor, y2: floor + 0.3 * rem };
    svg.append(
      makeSvg("line", { class: "tick", ...place }),
      label(String(epoch), x(epoch), floor + rem, "middle"),
    );
  }
  svg.append(
    makeSvg("line", { class: "axis", x1: left, x2: width - right, y1: floor, y2: floor }),
    label("epoch", (left + width - right) / 2, height - 0.5 * rem, "middle"),
    ...chart.lines.flatMap((line) => shapes(line, chart, x, y)),
  );
  return svg;
}

function shapes(
  line: Line, chart: Chart, x: (epoch: number) => number, y: (value: number) => number,
): SVGElement[] {
  const parts: SVGElement[] = [];
  const at = (points: [number, number][]) => (
    points.map(([epoch, value]) => `${x(epoch)} ${y(value)}`)
  );
  if (line.band?.length) {
    const high = at(line.band.map(([epoch, , most]) => [epoch, most]));
    const low = at(line.band.map(([epoch, least]): [number, number] => [epoch, least])).reverse();
    parts.push(makeSvg("polygon", { class: "band", points: [...high, ...low].join(" ") }));
  }
  const points = at(line.points).join(" ");
  parts.push(makeSvg("polyline", { class: `line ${line.style}`, points }));
  if (!line.dots) return parts;
  for (const [epoch, value] of line.points) {
    const [across, down] = [x(epoch), y(value)];
    const mark = line.style === "train"
      ? makeSvg("circle", { class: "dot train", cx: across, cy: down, r: 4 })
      : makeSvg("rect", { class: "dot valid", x: across - 4, y: down - 4, width: 8, height: 8 });
    mark.append(makeSvg("title", {}, `${line.name}, epoch ${epoch}: ${chart.text(value)}`));
    parts.push(mark);
  }
  return parts;
}

function label(text: string, x: number, y: number, anchor: string): SVGTextElement {
  return makeSvg("text", { x, y, "text-anchor": anchor, "dominant-baseline": "middle" }, text);
}

/** Epochs to name under the axis, no more than fit; quarters where there are few. */
function epochTicks(epochs: number, most: number): number[] {
  const steps = [...(epochs <= 2 ? [0.25, 0.5] : []), 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
  const step = steps.find((each) => epochs / each <= most) ?? Math.ceil(epochs / most);
  return Array.from({ length: Math.floor(epochs / step) + 1 }, (_, at) => at * step);
}

/** What a chart shows, in a sentence for each line. */
function told(chart: Chart): string {
  const sentences = chart.lines.filter((line) => line.points.length).map((line) => {
    const [first, last] = [line.points[0]!, line.points.at(-1)!];
    const to = line.points.length > 1 ? ` to ${chart.text(last[1])} after ${brief(last[0])}` : "";
    return `${line.name}: ${chart.text(first[1])} after ${brief(first[0])} epochs${to}`;
  });
  return `${chart.title} over the epochs. ${sentences.join(". ")}.`;
}

function tableOf(history: Epoch[]): HTMLElement {
  const columns: (keyof Epoch)[] = [
    "epoch", "train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "seconds",
  ];
  const number = (value: number | null, column: keyof Epoch) => {
    if (value === null) return "not finite";
    return column === "epoch" ? String(value) : value.toFixed(column === "seconds" ? 2 : 4);
  };
  return make("details", {}, make("summary", {}, "The same as a table"),
    make("div.scrolls", { tabindex: 0, role: "group", "aria-label": "Results of each epoch" },
      make("table.numbers", {},
        make("thead", {}, make("tr", {}, ...columns.map((each) => (
          make("th", { scope: "col" }, each.replace("_", " "))
        )))),
        make("tbody", {}, ...history.map((epoch) => make("tr", {}, ...columns.map((each) => (
          make("td", {}, number(epoch[each], each))
        ))))))));
}
