/** What the run was made of, and how to have it again. */

import { make } from "../shared/dom";
import { countText, secondsText } from "../shared/numbers";
import type { TrainingData } from "./page";

export function factsSection(data: TrainingData): HTMLElement {
  const { train, valid, test, description } = data.data;
  const seconds = data.history.reduce((sum, epoch) => sum + epoch.seconds, 0);
  const of = (count: number, what: string) => `${countText(count)} ${what}`;
  return make("section.card", { "aria-labelledby": "run" },
    make("h2", { id: "run" }, "The run"),
    make("h3", {}, "To have it again"),
    make("pre.command", {}, data.command),
    make("div.facts", {},
      facts("Data", {
        "": description,
        digits: [of(train, "to train"), of(valid, "to validate"), of(test, "to test")].join(", "),
      }),
      facts("Settings", data.settings),
      facts("Machine", {
        ...data.machine, "time of training": seconds ? secondsText(seconds) : "",
      }),
      facts("Versions", data.made),
    ),
    make("p.muted", {}, `Written ${new Date(data.state.written).toLocaleString("en-GB")}.`),
  );
}

export function versionsLine(made: Record<string, string>): HTMLElement {
  const parts = Object.entries(made).map(([name, version]) => `${name} ${version}`);
  return make("p.muted.versions", {}, `Made by ${parts.join(", ")}. Nothing is fetched or sent.`);
}

function facts(title: string, entries: Record<string, unknown>): HTMLElement {
  const list = make("dl", {});
  for (const [name, value] of Object.entries(entries)) {
    if (value === null || value === "") continue;
    const told = typeof value === "boolean" ? (value ? "yes" : "no") : String(value);
    list.append(
      make("dt", {}, name.replaceAll("_", name in NAMED ? "_" : " ") || "source"),
      make("dd", {}, told),
    );
  }
  return make("div", {}, make("h3", {}, title), list);
}

const NAMED = { tinygrad_mnist: true };
