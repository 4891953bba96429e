import "../shared/page.css";
import "./graph.css";
import "./panel.css";
import "./explain.css";
import { decodeAll } from "../shared/arrays";
import { readData } from "../shared/data";
import { make, makeJump } from "../shared/dom";
import { themeSwitch } from "../shared/theme";
import { boxesOf } from "./boxes";
import { extras, madeBy, summary } from "./extras";
import { Graph } from "./graph";
import { Panel } from "./panel";
import { Pass } from "./pass";
import { sourceView } from "./source";
import { State } from "./state";
import { Transport } from "./transport";
import type { ExplainData } from "./types";

/** What a script says of itself in its first line, where the page is a script's. */
function docstring({ title, sources }: ExplainData): string | undefined {
  const [source] = sources;
  if (!source || !title.startsWith(source.name)) return undefined;
  return /^\s*"""(.+?)(?:"""|\n)/.exec(source.text)?.[1];
}

async function start(): Promise<void> {
  const data = await readData<ExplainData>();
  const app = document.getElementById("app")!;
  const skip = makeJump("panel", "Skip to this step's numbers", { class: "skip" });
  const header = make("header.top", {}, make("h1", {}, data.title));
  app.append(header);
  if (!data.steps?.length) {
    header.append(themeSwitch());
    return;
  }
  const pass = new Pass(data, await decodeAll(data.arrays));
  const state = new State(pass, boxesOf(pass));
  const says = docstring(data);
  header.append(
    ...(says ? [make("p.says", { title: says }, says)] : []),
    summary(state),
    themeSwitch(),
  );
  const graph = new Graph(state),
    panel = new Panel(state),
    transport = new Transport(state);
  panel.element.id = "panel";
  const more = extras(state),
    source = sourceView(state);
  const workspace = make(
    "div.workspace",
    {},
    header,
    graph.element,
    transport.element,
    panel.element,
    source,
  );
  app.append(skip, workspace, ...(more ? [more] : []), madeBy(pass));
  transport.readHash();
  graph.start();
  document.documentElement.dataset.ready = "true";
}

void start();
