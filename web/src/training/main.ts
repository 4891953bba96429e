import "../shared/page.css";
import "./training.css";
import { readData } from "../shared/data";
import { make } from "../shared/dom";
import { themeSwitch } from "../shared/theme";
import { confusionSection } from "./confusion";
import { curvesSection } from "./curves";
import { drawingSection } from "./drawing";
import { factsSection, versionsLine } from "./facts";
import { momentsSection } from "./moments";
import type { Page } from "./page";
import { scrollBack, statusOf } from "./status";

async function fill(app: HTMLElement, data: Page): Promise<void> {
  app.append(make("header", {}, make("h1", {}, data.title), themeSwitch()));
  const drawing = await drawingSection(data);
  if (data.what === "drawing") {
    app.append(drawing.section, versionsLine(data.made));
    return;
  }
  app.append(
    statusOf(data.state),
    curvesSection(data),
    drawing.section,
    await momentsSection(data.moments),
    await confusionSection(data, drawing.show),
    factsSection(data),
  );
}

const app = document.getElementById("app")!;
readData<Page>().then((data) => fill(app, data)).then(
  () => {
    scrollBack();
    app.dataset.ready = "yes";
  },
  (error: unknown) => {
    app.append(make("p", { role: "alert" }, `The page is damaged: ${error}`));
  },
);
