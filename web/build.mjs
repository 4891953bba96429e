// Bundles the pages' scripts and styles into the Python package: `node build.mjs [FOLDER]`.
// Each script begins with the licences of the packages inside it.
import { readFile, writeFile } from "node:fs/promises";
import { build } from "esbuild";

const folder = process.argv[2] ?? "../tinygrad_mnist/explainer/bundle";

const { metafile } = await build({
  entryPoints: {
    explain: "src/explain/main.ts",
    training: "src/training/main.ts",
  },
  outdir: folder,
  bundle: true,
  metafile: true,
  minify: true,
  format: "iife",
  target: "es2022",
  charset: "utf8",
  legalComments: "inline",
});

for (const [file, { inputs }] of Object.entries(metafile.outputs)) {
  const packages = Object.keys(inputs).flatMap(
    (input) => /node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input) ?? [],
  );
  const notices = await Promise.all([...new Set(packages)].sort().map(notice));
  if (notices.length) await writeFile(file, notices.join("") + (await readFile(file, "utf8")));
}

async function notice(path) {
  const { name, version } = JSON.parse(await readFile(`${path}/package.json`, "utf8"));
  const licence = await readFile(`${path}/LICENSE`, "utf8");
  return `/*! ${name} ${version}\n${licence.trim()}\n*/\n`;
}
