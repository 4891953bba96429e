/**
 * Places for what is drawn: each open box is laid out by dagre on its own, its box then stands as
 * one card in the box around it. What enters or leaves a box does so through a port on its border.
 */

import { Graph, layout as dagre } from "@dagrejs/dagre";
import type { Box, Item, View } from "./boxes";
import { nodesOf, visible } from "./boxes";
import type { Edge, Pass } from "./pass";

export interface Size {
  width: number;
  height: number;
}

export interface Point {
  x: number;
  y: number;
}

export interface Place extends Point, Size {
  item: Item;
  /** The item is a box that is open: its own items are places too. */
  open: boolean;
  depth: number;
}

/** A line within one box; edges between nodes in different boxes are several. */
export interface Line {
  points: Point[];
  edges: Edge[];
  /** Whether it ends at a card, where an arrow's head stands. */
  ends: boolean;
  /** Whether it is the part of its edges that crosses no border. */
  main: boolean;
  /** Instead of a long line from a value that many use: a short one, with the value's name. */
  stub: boolean;
}

export interface Layout extends Size {
  places: Place[];
  lines: Line[];
}

export type Direction = "down" | "right";

export type Measure = (item: Item) => Size;

interface Inner extends Layout {
  /** Where a value of this node crosses the border, along it. */
  entries: Map<number, number>;
  exits: Map<number, number>;
}

interface Lane {
  from: string;
  to: string;
  edges: Edge[];
}

/** What is laid out in a box: its items, lines between them, and values that many of them use. */
interface Contents {
  items: Item[];
  lanes: Lane[];
  stubs: Lane[];
  inner: Map<string, Inner>;
}

interface Routed {
  lane: Lane;
  /** The points between its ends; none for a stub. */
  bends: Point[] | null;
}

/** The height of an open box's title. */
export const HEADER = 30;
const PADDING = 14,
  PORT = 8;
const MANY = 4,
  STUB = { down: 40, right: 64 };

export function layoutAll(
  root: Box,
  pass: Pass,
  view: View,
  direction: Direction,
  measure: Measure,
): Layout {
  return new Layouter(pass, view, direction, measure).inside(root, 0);
}

class Layouter {
  constructor(
    private readonly pass: Pass,
    private readonly view: View,
    private readonly direction: Direction,
    private readonly measure: Measure,
  ) {}

  inside(box: Box, depth: number): Inner {
    const items = visible(box, this.view);
    const inner = new Map<string, Inner>();
    for (const item of items) {
      if (item.kind === "box" && this.view.open.has(item.key)) {
        inner.set(item.key, this.inside(item.box, depth + 1));
      }
    }
    const home = new Map<number, string>();
    items.forEach((item) => nodesOf(item).forEach((node) => home.set(node, item.key)));
    const all = this.lanes(home, box.parent !== null, inner);
    const used = new Map<string, number>();
    all.forEach(({ from }) => used.set(from, (used.get(from) ?? 0) + 1));
    const isStub = ({ from }: Lane) => !/^[sf]/.test(from) && used.get(from)! > MANY;
    const contents = {
      items,
      inner,
      lanes: all.filter((each) => !isStub(each)),
      stubs: all.filter(isStub),
    };
    const graph = this.graph(contents);
    dagre(graph);
    return this.read(graph, contents, depth);
  }

  /** The edges of the pass as lanes between items and ports of this box. */
  private lanes(home: Map<number, string>, hasBorder: boolean, inner: Map<string, Inner>): Lane[] {
    const isShut = (key: string) => /^[sf]/.test(key) && !inner.has(key);
    const lanes = new Map<string, Lane>();
    for (const edge of this.pass.edges) {
      if (!this.view.second && this.pass.isSecond(edge)) continue;
      const from = home.get(edge.from),
        to = home.get(edge.to);
      if ((!from && !to) || from === to || ((!from || !to) && !hasBorder)) continue;
      const start = from ?? `in ${edge.from}`,
        end = to ?? `out ${edge.from}`;
      const single = to === `n${edge.to}` ? edge.argument : "";
      const source = isShut(start) && isShut(end) ? "" : edge.from;
      const key = `${start}>${end}>${source}>${single}`;
      const lane = lanes.get(key) ?? { from: start, to: end, edges: [] };
      lane.edges.push(edge);
      lanes.set(key, lane);
    }
    return [...lanes.values()];
  }

  private graph({ items, lanes, stubs, inner }: Contents): Graph {
    const graph = new Graph({ multigraph: true });
    graph.setGraph({
      rankdir: this.direction === "down" ? "TB" : "LR",
      nodesep: 22,
      ranksep: this.direction === "down" ? 42 : 96,
      edgesep: 14,
      ranker: items.length > 60 ? "longest-path" : "network-simplex",
    });
    for (const item of items) {
      const within = inner.get(item.key);
      const size = within ? framed(within) : this.measure(item);
      const lead = this.lead(item.key, stubs);
      graph.setNode(
        item.key,
        this.direction === "down"
          ? { width: size.width, height: size.height + lead }
          : { width: size.width + lead, height: size.height },
      );
    }
    lanes.forEach((lane, at) => {
      for (const end of [lane.from, lane.to]) {
        if (!graph.hasNode(end)) graph.setNode(end, { width: PORT, height: PORT });
      }
      graph.setEdge(lane.from, lane.to, { weight: 2, minlen: 1 }, String(at));
    });
    this.pinPorts(graph, items, lanes);
    return graph;
  }

  /** The room before an item that its stubs take. */
  private lead(key: string, stubs: Lane[]): number {
    return stubs.some((each) => each.to === key) ? STUB[this.direction] : 0;
  }

  /** Ports stand on the border: before all items where values enter, after all where they leave. */
  private pinPorts(graph: Graph, items: Item[], lanes: Lane[]): void {
    const entries = new Set(lanes.map((each) => each.from).filter((key) => key.startsWith("in ")));
    const exits = new Set(lanes.map((each) => each.to).filter((key) => key.startsWith("out ")));
    const targets = new Set(lanes.map((each) => each.to));
    const sources = new Set(lanes.map((each) => each.from));
    if (entries.size) {
      graph.setNode("top", { width: 0, height: 0 });
      entries.forEach((key) => graph.setEdge("top", key, { weight: 50, minlen: 1 }));
      const loose = items.filter((each) => !targets.has(each.key));
      loose.forEach((each) => graph.setEdge("top", each.key, { weight: 0, minlen: 1 }));
    }
    if (exits.size) {
      graph.setNode("bottom", { width: 0, height: 0 });
      exits.forEach((key) => graph.setEdge(key, "bottom", { weight: 50, minlen: 1 }));
      const loose = items.filter((each) => !sources.has(each.key));
      loose.forEach((each) => graph.setEdge(each.key, "bottom", { weight: 0, minlen: 1 }));
    }
  }

  /** Where the items stand; behind the room that their stubs take. */
  private placed(graph: Graph, { items, stubs, inner }: Contents, depth: number) {
    const places = new Map<string, Place>();
    for (const item of items) {
      const { x, y, width, height } = graph.node(item.key) as Place;
      const lead = this.lead(item.key, stubs),
        down = this.direction === "down";
      places.set(item.key, {
        x: x - width / 2 + (down ? 0 : lead),
        y: y - height / 2 + (down ? lead : 0),
        width: width - (down ? 0 : lead),
        height: height - (down ? lead : 0),
        item,
        open: inner.has(item.key),
        depth,
      });
    }
    return places;
  }

  private read(graph: Graph, contents: Contents, depth: number): Inner {
    const { lanes, stubs, inner } = contents;
    const places = this.placed(graph, contents, depth);
    const frame = this.frame(graph, [...places.values()]);
    places.forEach((place) => {
      place.x -= frame.x;
      place.y -= frame.y;
    });
    const ports = new Map<string, number>();
    for (const key of graph.nodes()) {
      const at = graph.node(key) as Point;
      if (/^(in|out) /.test(key)) ports.set(key, this.along(at) - this.along(frame));
    }
    const result: Inner = {
      width: frame.width,
      height: frame.height,
      places: [...places.values()],
      lines: [],
      entries: portsOf(ports, "in "),
      exits: portsOf(ports, "out "),
    };
    const routed: Routed[] = lanes.map((lane, at) => ({
      lane,
      bends: (graph.edge(lane.from, lane.to, String(at)) as { points: Point[] }).points
        .slice(1, -1)
        .map((each) => ({ x: each.x - frame.x, y: each.y - frame.y })),
    }));
    inner.forEach((within, key) => {
      const entering = routed
        .filter(({ lane }) => lane.to === key)
        .map((each) => ({
          outside: this.origin(each, places),
          inside: within.entries.get(each.lane.edges[0]!.from)!,
        }));
      if (crossings(entering) > crossings(entering.map(mirrored))) this.flip(within);
    });
    routed.push(...stubs.map((lane) => ({ lane, bends: null })));
    result.lines = this.route(routed, places, ports, inner, frame);
    this.moveIn(result, places, inner);
    return result;
  }

  /** The rectangle around everything, up to the border where ports stand. */
  private frame(graph: Graph, places: Place[]): Point & Size {
    const points = graph
      .nodes()
      .filter((key) => key !== "top" && key !== "bottom")
      .map((key) => graph.node(key) as Point & Size);
    const bends = graph
      .edges()
      .filter((each) => each.v !== "top" && each.w !== "bottom")
      .flatMap((each) => (graph.edge(each) as { points: Point[] }).points);
    const boxes = [
      ...points.map((each) => ({
        x: each.x - each.width / 2,
        y: each.y - each.height / 2,
        width: each.width,
        height: each.height,
      })),
      ...bends.map((each) => ({ ...each, width: 0, height: 0 })),
      ...places,
    ];
    const x = Math.min(...boxes.map((each) => each.x)),
      y = Math.min(...boxes.map((each) => each.y));
    const right = Math.max(...boxes.map((each) => each.x + each.width));
    const bottom = Math.max(...boxes.map((each) => each.y + each.height));
    return { x, y, width: right - x, height: bottom - y };
  }

  private route(
    routed: Routed[],
    places: Map<string, Place>,
    ports: Map<string, number>,
    inner: Map<string, Inner>,
    frame: Size,
  ): Line[] {
    const arriving = new Map<string, Routed[]>();
    for (const each of routed) {
      arriving.set(each.lane.to, [...(arriving.get(each.lane.to) ?? []), each]);
    }
    const end = this.direction === "down" ? frame.height : frame.width;
    return routed.map((each) => {
      const { lane, bends } = each;
      const source = lane.edges[0]!.from;
      const from = places.get(lane.from),
        to = places.get(lane.to);
      const rivals = arriving
        .get(lane.to)!
        .sort((a, b) => compare(this.approach(a, places), this.approach(b, places)));
      const finish = to
        ? this.onBorder(
            to,
            inner.get(lane.to)?.entries.get(source),
            "start",
            rivals.indexOf(each),
            rivals.length,
          )
        : this.point(ports.get(lane.to)!, end);
      const start =
        bends === null
          ? this.before(finish)
          : from
            ? this.onBorder(from, inner.get(lane.from)?.exits.get(source), "end", 0, 1)
            : this.point(ports.get(lane.from)!, 0);
      return {
        points: [start, ...(bends ?? []), finish],
        edges: lane.edges,
        ends: Boolean(to) && !inner.has(lane.to),
        main: Boolean(from && to) || bends === null,
        stub: bends === null,
      };
    });
  }

  /** Where a stub begins that ends at a point. */
  private before({ x, y }: Point): Point {
    const length = STUB[this.direction] / 2;
    return this.direction === "down" ? { x, y: y - length } : { x: x - length, y };
  }

  private origin(each: Routed, places: Map<string, Place>): number {
    const from = places.get(each.lane.from);
    return from ? this.middle(from) : this.approach(each, places);
  }

  /** Where along the border a lane comes from, by which lanes to one card are ordered. */
  private approach(each: Routed, places: Map<string, Place>): number {
    if (!each.bends) return Infinity;
    const last = each.bends.at(-1),
      from = places.get(each.lane.from);
    if (from && each.bends.length < 2) return this.middle(from);
    return last ? this.along(last) : 0;
  }

  /** A point on a card's border: at its port, or spread around the middle. */
  private onBorder(
    place: Place,
    port: number | undefined,
    side: "start" | "end",
    at: number,
    count: number,
  ): Point {
    const down = this.direction === "down";
    const length = down ? place.width : place.height;
    const gap = Math.min(26, (length * 0.7) / Math.max(1, count));
    const spread = length / 2 + (at - (count - 1) / 2) * gap;
    const border = down ? PADDING : HEADER;
    const along = (down ? place.x : place.y) + (port === undefined ? spread : port + border);
    const across =
      side === "start"
        ? down
          ? place.y
          : place.x
        : down
          ? place.y + place.height
          : place.x + place.width;
    return this.point(along, across);
  }

  private point(along: number, across: number): Point {
    return this.direction === "down" ? { x: along, y: across } : { x: across, y: along };
  }

  private along(point: Point): number {
    return this.direction === "down" ? point.x : point.y;
  }

  private middle(place: Place): number {
    return this.along(place) + (this.direction === "down" ? place.width : place.height) / 2;
  }

  /** Turns what is in a box around, so that lines into it cross less. */
  private flip(within: Inner): void {
    const down = this.direction === "down",
      length = down ? within.width : within.height;
    const turn = (point: Point, size: number) => {
      if (down) point.x = length - point.x - size;
      else point.y = length - point.y - size;
    };
    within.places.forEach((each) => turn(each, down ? each.width : each.height));
    within.lines.forEach((line) => line.points.forEach((each) => turn(each, 0)));
    for (const ports of [within.entries, within.exits]) {
      ports.forEach((at, node) => ports.set(node, length - at));
    }
  }

  /** Puts what is in open boxes where those boxes stand, and joins their ports to the border. */
  private moveIn(result: Inner, places: Map<string, Place>, inner: Map<string, Inner>): void {
    inner.forEach((within, key) => {
      const { x, y } = places.get(key)!;
      const move = (point: Point) => ({ x: point.x + x + PADDING, y: point.y + y + HEADER });
      result.places.push(...within.places.map((each) => ({ ...each, ...move(each) })));
      for (const line of within.lines) {
        result.lines.push({ ...line, points: this.toBorder(line, within, places.get(key)!, move) });
      }
    });
  }

  private toBorder(
    line: Line,
    within: Inner,
    frame: Place,
    move: (point: Point) => Point,
  ): Point[] {
    const points = line.points.map(move);
    const down = this.direction === "down";
    const first = line.points[0]!,
      last = line.points.at(-1)!;
    if (
      !line.stub &&
      (down ? first.y : first.x) <= 0.5 &&
      within.entries.has(line.edges[0]!.from)
    ) {
      points.unshift(down ? { x: points[0]!.x, y: frame.y } : { x: frame.x, y: points[0]!.y });
    }
    const end = down ? within.height : within.width;
    if ((down ? last.y : last.x) >= end - 0.5 && within.exits.has(line.edges[0]!.from)) {
      const at = points.at(-1)!;
      points.push(
        down ? { x: at.x, y: frame.y + frame.height } : { x: frame.x + frame.width, y: at.y },
      );
    }
    return points;
  }
}

interface Entering {
  outside: number;
  inside: number;
}

/** How many pairs of lines into a box cross before its border. */
function crossings(entering: Entering[]): number {
  return entering.reduce(
    (count, a, at) =>
      count +
      entering.slice(at + 1).filter((b) => (a.outside - b.outside) * (a.inside - b.inside) < 0)
        .length,
    0,
  );
}

function mirrored({ outside, inside }: Entering): Entering {
  return { outside, inside: -inside };
}

function compare(a: number, b: number): number {
  return a < b ? -1 : Number(a > b);
}

function framed({ width, height }: Size): Size {
  return { width: Math.max(width, 120) + 2 * PADDING, height: height + HEADER + PADDING };
}

function portsOf(ports: Map<string, number>, kind: string): Map<number, number> {
  const found = new Map<number, number>();
  ports.forEach((at, key) => {
    if (key.startsWith(kind)) found.set(Number(key.slice(kind.length)), at);
  });
  return found;
}
