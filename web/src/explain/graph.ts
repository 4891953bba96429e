/** The picture: cards for nodes, boxes around them, lines between, lit as the pass goes. */

import type { Values } from "../shared/arrays";
import { sizeOf } from "../shared/arrays";
import { make, makeButton, makeSvg } from "../shared/dom";
import { HeatMap } from "../shared/heatmap";
import { brief, plural } from "../shared/numbers";
import { tilingOf } from "../shared/tiling";
import type { Item } from "./boxes";
import { nodesOf } from "./boxes";
import type { Card } from "./cards";
import { boxTitle, cardOf } from "./cards";
import type { Direction, Layout, Line, Place, Point } from "./layout";
import { HEADER, layoutAll } from "./layout";
import type { Edge } from "./pass";
import type { Change, State } from "./state";
import { Viewport } from "./viewport";

interface Drawn {
  line: Line;
  path: SVGPathElement;
  chip: HTMLElement | null;
  /** The name at the beginning of a stub. */
  tag: HTMLElement | null;
}

/** A contribution of so many numbers at most is written out on its line. */
const WRITTEN = 3;
const CHIP = { width: 34, height: 22, cell: 5 };

export class Graph {
  readonly element: HTMLElement;
  private readonly frame = make("div.graph-frame", { role: "group", "aria-label": "Graph" });
  private readonly world = make("div.world");
  private readonly svg = makeSvg("svg", { class: "lines", "aria-hidden": "true" });
  private readonly counter = make("p.graph-count");
  private readonly viewport: Viewport;
  private readonly cards = new Map<string, Card>();
  private direction: Direction = "down";
  private layout: Layout = { width: 0, height: 0, places: [], lines: [] };
  private drawn: Drawn[] = [];
  private frames: HTMLElement[] = [];
  private grounds: HTMLElement[] = [];

  constructor(private readonly state: State) {
    this.world.append(this.svg);
    this.frame.append(this.world);
    this.viewport = new Viewport(this.frame, this.world);
    this.element = make("section.graph", { "aria-label": "The graph" }, this.frame, this.tools());
    this.frame.addEventListener("click", (event) => this.click(event));
    this.frame.addEventListener("keydown", (event) => this.key(event));
    state.listen((change) => this.change(change));
  }

  /** Lays everything out; to be called once the element is on the page. */
  start(): void {
    this.chooseDirection();
    this.draw();
    this.fit();
    let { width, height } = this.viewport.size;
    new ResizeObserver(() => {
      const now = this.viewport.size;
      if (Math.abs(now.width - width) + Math.abs(now.height - height) < 40) return;
      ({ width, height } = now);
      this.chooseDirection();
      this.draw();
      this.fit();
    }).observe(this.frame);
  }

  private tools(): HTMLElement {
    const second = this.state.pass.data.nodes.some((each) => each.order === 2)
      ? this.secondSwitch()
      : null;
    return make(
      "div.graph-tools",
      { role: "toolbar", "aria-label": "View of the graph" },
      makeButton("−", () => this.viewport.zoomBy(0.8), { "aria-label": "Zoom out" }),
      makeButton("+", () => this.viewport.zoomBy(1.25), { "aria-label": "Zoom in" }),
      makeButton("Fit", () => this.viewport.fit(null), { title: "Show the whole graph (0)" }),
      makeButton("⤭", () => this.turn(), {
        "aria-label": "Turn the graph",
        title: "Turn the graph",
      }),
      second,
      this.counter,
    );
  }

  private secondSwitch(): HTMLElement {
    const button = makeButton(
      "Gradients of gradients",
      () => {
        this.state.showSecond(!this.state.second);
        button.setAttribute("aria-pressed", String(this.state.second));
      },
      { "aria-pressed": "true", class: "second-switch" },
    );
    return button;
  }

  private turn(): void {
    this.direction = this.direction === "down" ? "right" : "down";
    this.draw();
    this.fit();
  }

  /** The direction in which the whole graph is seen largest. */
  private chooseDirection(): void {
    const zoom = (direction: Direction) => this.viewport.fitting(this.laidOut(direction));
    this.direction = zoom("right") > zoom("down") * 1.1 ? "right" : "down";
  }

  private fit(): void {
    const place = this.placeOf(this.state.focus);
    this.viewport.fit(place ? centre(place) : null);
  }

  private change(change: Change): void {
    if (change === "boxes" || !this.isDrawn(this.state.focus)) {
      this.draw();
      const place = this.placeOf(this.state.focus);
      if (place) this.viewport.bringIntoSight(place);
    }
    this.light();
    const place = this.placeOf(this.state.focus);
    if (change === "step" && place) this.viewport.bringIntoSight(place);
  }

  private view() {
    const { open, revealed, focus, second } = this.state;
    return { open, revealed, focus, second };
  }

  private laidOut(direction: Direction): Layout {
    const { root, pass } = this.state;
    return layoutAll(root, pass, this.view(), direction, (item) => this.sizeOf(item));
  }

  private sizeOf(item: Item): { width: number; height: number } {
    const { element } = this.cardFor(item);
    if (!element.isConnected) this.world.append(element);
    return { width: element.offsetWidth, height: element.offsetHeight };
  }

  private cardFor(item: Item): Card {
    const key = item.kind === "fold" ? `${item.key} ${item.items.length}` : item.key;
    let card = this.cards.get(key);
    if (!card) {
      card = cardOf(item, this.state.pass);
      card.element.dataset.key = item.key;
      card.update(this.state.step);
      this.cards.set(key, card);
    }
    return card;
  }

  private draw(): void {
    this.layout = this.laidOut(this.direction);
    const { places, lines, width, height } = this.layout;
    this.viewport.setContent({ width, height });
    const shown = places.filter((each) => !each.open);
    const elements = new Set(shown.map((each) => this.cardFor(each.item).element));
    [...this.frames, ...this.grounds].forEach((each) => each.remove());
    const open = places.filter((each) => each.open);
    this.frames = open.map((each) => frameOf(each, titleBar(each)));
    this.grounds = open.map((each) => frameOf(each, make("div.ground")));
    for (const each of [...this.world.children]) {
      if (each !== this.svg && !elements.has(each as HTMLElement)) each.remove();
    }
    this.world.prepend(...this.grounds);
    this.svg.after(...this.frames);
    shown.forEach((each) => moveTo(this.cardFor(each.item).element, each));
    this.drawLines(lines, width, height);
    this.putInOrder(places);
    const total = this.state.pass.data.nodes.length;
    this.counter.textContent = `${plural(shown.length, "card")} for ${plural(total, "node")}`;
    this.light();
  }

  private drawLines(lines: Line[], width: number, height: number): void {
    this.svg.setAttribute("width", String(width));
    this.svg.setAttribute("height", String(height));
    for (const each of this.drawn) {
      each.chip?.remove();
      each.tag?.remove();
    }
    this.drawn = lines.map((line) => ({
      line,
      chip: null,
      tag: line.stub ? this.tag(line) : null,
      path: makeSvg("path", { d: pathOf(line.points, this.direction) }),
    }));
    this.world.append(...this.drawn.flatMap((each) => each.tag ?? []));
    const heads = lines
      .filter((each) => each.ends)
      .map((line) => arrowHead(line.points.at(-1)!, this.direction));
    this.svg.replaceChildren(...this.drawn.map((each) => each.path), ...heads);
  }

  private tag(line: Line): HTMLElement {
    const { x, y } = line.points[0]!;
    const tag = make("div.tag", {}, make("span", {}, this.state.pass.title(line.edges[0]!.from)));
    tag.style.transform = `translate(${x}px, ${y}px) translate(-50%, -50%)`;
    return tag;
  }

  /** One stop for the Tab key: the graph's cards are walked with the arrow keys. */
  private putInOrder(places: Place[]): void {
    const ordered = [...places].sort((a, b) => nodesOf(a.item)[0]! - nodesOf(b.item)[0]!);
    const buttons = ordered.map((each) => this.buttonOf(each));
    buttons.forEach((button) => {
      button.tabIndex = -1;
    });
    const focused = buttons.find((each) => each === document.activeElement) ?? buttons[0];
    if (focused) focused.tabIndex = 0;
  }

  private buttonOf(place: Place): HTMLElement {
    const element = place.open
      ? this.frames.find((each) => each.dataset.box === place.item.key)!
      : this.cardFor(place.item).element;
    return element.querySelector("button")!;
  }

  private light(): void {
    const { pass, step, current, selected, marked } = this.state;
    const back = current.phase === "backward";
    for (const place of this.layout.places) {
      const nodes = nodesOf(place.item);
      const element = place.open
        ? this.frames.find((each) => each.dataset.box === place.item.key)!
        : this.cardFor(place.item).element;
      const isCurrent = nodes.includes(current.node);
      element.classList.toggle("current", isCurrent && !place.open);
      element.classList.toggle("backward", isCurrent && current.phase !== "forward");
      element.classList.toggle(
        "selected",
        selected !== null && nodes.includes(selected) && !place.open,
      );
      element.classList.toggle("marked", nodes.some((each) => marked.has(each)) && !place.open);
      element.classList.toggle("ahead", !nodes.some((each) => pass.isComputed(each, step)));
      if (!place.open) this.cardFor(place.item).update(step);
      if (place.item.kind === "node") {
        this.buttonOf(place).setAttribute("aria-current", isCurrent ? "step" : "false");
      }
    }
    for (const each of this.drawn) {
      const lit = each.line.edges.some((edge) => this.isLit(edge));
      each.path.classList.toggle("lit", lit);
      each.path.classList.toggle("backward", lit && back);
      each.path.classList.toggle(
        "ahead",
        !each.line.edges.some((edge) => pass.isComputed(edge.from, step)),
      );
      this.chip(each, lit && back);
    }
  }

  private isLit(edge: Edge): boolean {
    const { current, pass, step } = this.state;
    if (current.phase === "forward") return edge.to === current.node;
    return current.phase === "backward" && pass.arrivalOn(edge, step)?.step === step;
  }

  /** What came back along a line, on the line itself. */
  private chip(each: Drawn, lit: boolean): void {
    const { pass, step } = this.state;
    if (!each.line.main) return;
    const arrivals = each.line.edges.flatMap((edge) => pass.arrivalOn(edge, step) ?? []);
    if (!arrivals.length) {
      each.chip?.remove();
      each.chip = null;
      return;
    }
    const label = arrivals.map((arrival) => arrival.step).join();
    if (each.chip?.dataset.of !== label) {
      each.chip?.remove();
      const values = arrivals.length === 1 ? pass.array(arrivals[0]!.contribution.array) : null;
      each.chip = make(
        "div.chip",
        { "data-of": label },
        values ? chipContent(values) : make("span", {}, `${arrivals.length} gradients`),
      );
      (each.tag ?? this.world).append(each.chip);
      const { x, y } = this.roomOn(each.line, each.chip);
      if (!each.tag) each.chip.style.transform = `translate(${x}px, ${y}px) translate(-50%, -50%)`;
    }
    each.chip.classList.toggle("lit", lit);
  }

  /** The point of a line, as near to its middle as can be, where a chip covers no text. */
  private roomOn({ points }: Line, { offsetWidth, offsetHeight }: HTMLElement): Point {
    const covers = ({ x, y }: Point) =>
      this.layout.places.some((each) => {
        const height = each.open ? HEADER : each.height;
        return (
          Math.abs(x - each.x - each.width / 2) < (each.width + offsetWidth) / 2 &&
          Math.abs(y - each.y - height / 2) < (height + offsetHeight) / 2
        );
      });
    const along = alongOf(points);
    return along.find((each) => !covers(each)) ?? along[0]!;
  }

  private click(event: MouseEvent): void {
    const target = event.target as Element;
    const card = target.closest<HTMLElement>("[data-key], [data-box]");
    const isFrame = card?.classList.contains("open-box") && !target.closest("button");
    if (!card || isFrame) {
      this.state.select(null);
      return;
    }
    const key = card.dataset.key ?? card.dataset.box!;
    const place = this.layout.places.find((each) => each.item.key === key);
    if (place) this.act(place);
  }

  private act({ item }: Place): void {
    if (item.kind === "node") return this.state.select(item.node);
    if (item.kind === "fold") {
      return this.state.reveal(item.items.slice(0, 8).map((each) => each.key));
    }
    this.state.toggle(item.box);
    const place = this.layout.places.find((each) => each.item.key === item.key);
    const inside = nodesOf(item).includes(this.state.focus) && this.placeOf(this.state.focus);
    if (place) {
      this.viewport.bringIntoSight(inside || place);
      this.buttonOf(place).focus({ preventScroll: true });
    }
    return undefined;
  }

  private key(event: KeyboardEvent): void {
    const buttons = [...this.layout.places]
      .sort((a, b) => nodesOf(a.item)[0]! - nodesOf(b.item)[0]!)
      .map((each) => this.buttonOf(each));
    const at = buttons.findIndex((each) => each === document.activeElement);
    if (this.viewport.key(event)) event.preventDefault();
    else if (event.key === "0") this.viewport.fit(null);
    else if (event.key === "Escape") this.state.select(null);
    else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && at >= 0) {
      const next = buttons[at + (event.key === "ArrowDown" ? 1 : -1)];
      event.preventDefault();
      if (!next) return;
      buttons[at]!.tabIndex = -1;
      next.tabIndex = 0;
      next.focus({ preventScroll: true });
      const place = this.layout.places.find((each) => this.buttonOf(each) === next);
      if (place) this.viewport.bringIntoSight(place);
    } else return;
    event.stopPropagation();
  }

  private isDrawn(node: number): boolean {
    return this.placeOf(node)?.item.kind !== "fold";
  }

  /** The card that shows a node: its own, or that of the closed box it is in. */
  private placeOf(node: number): Place | undefined {
    return this.layout.places.find((each) => !each.open && nodesOf(each.item).includes(node));
  }
}

/** The title of an open box, which stands above the lines. */
function titleBar({ item }: Place): HTMLElement {
  if (item.kind !== "box") throw new Error("only a box can be open");
  const title = make(
    "button.card-title",
    { type: "button", tabindex: -1, "aria-expanded": "true" },
    make("span.sign", { "aria-hidden": "true" }, "−"),
    ...boxTitle(item.box),
  );
  return make("div.open-box", { "data-box": item.key }, title);
}

/** An element put in the place of an open box. */
function frameOf(place: Place, frame: HTMLElement): HTMLElement {
  if (place.item.kind === "box" && place.item.box.second) frame.dataset.order = "2";
  if (place.depth % 2) frame.classList.add("deep");
  moveTo(frame, place);
  frame.style.width = `${place.width}px`;
  frame.style.height = `${place.height}px`;
  return frame;
}

function moveTo(element: HTMLElement, { x, y }: Point): void {
  element.style.transform = `translate(${x}px, ${y}px)`;
}

function centre(place: Place): Point {
  return { x: place.x + place.width / 2, y: place.y + place.height / 2 };
}

function chipContent(values: Values): HTMLElement {
  if (sizeOf(values.shape) <= WRITTEN) {
    return make("span", {}, Array.from(values.data, (each) => brief(each)).join(", "));
  }
  if (tilingOf(values.shape).tiles > 1) {
    const most = Math.max(-(values.min ?? 0), values.max ?? 0);
    return make("span", {}, `|·| ≤ ${brief(most)}`);
  }
  return new HeatMap(values, { ...CHIP, label: "contribution", legend: false, reads: false })
    .element;
}

/** A line through points that leaves and arrives in the graph's direction. */
function pathOf(points: Point[], direction: Direction): string {
  const [first, ...rest] = points;
  let at = first!,
    path = `M${at.x} ${at.y}`;
  for (const next of rest) {
    const half = direction === "down" ? (next.y - at.y) / 2 : (next.x - at.x) / 2;
    path +=
      direction === "down"
        ? `C${at.x} ${at.y + half} ${next.x} ${next.y - half} ${next.x} ${next.y}`
        : `C${at.x + half} ${at.y} ${next.x - half} ${next.y} ${next.x} ${next.y}`;
    at = next;
  }
  return path;
}

function arrowHead({ x, y }: Point, direction: Direction): SVGPathElement {
  const d =
    direction === "down"
      ? `M${x - 4} ${y - 7}L${x} ${y}L${x + 4} ${y - 7}Z`
      : `M${x - 7} ${y - 4}L${x} ${y}L${x - 7} ${y + 4}Z`;
  return makeSvg("path", { d, class: "head" });
}

/** Points of a line, those nearest to its middle first. */
function alongOf(points: Point[]): Point[] {
  const along = points.flatMap((a, at) => {
    const b = points[at + 1];
    return b ? [a, { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 }] : [a];
  });
  const middle = (along.length - 1) / 2;
  const far = (each: Point) => Math.abs(along.indexOf(each) - middle);
  return [...along].sort((a, b) => far(a) - far(b));
}
