// Bundles the pages' scripts and styles into the Python package: `node build.mjs [FOLDER]`.
import { build } from "esbuild";

const folder = process.argv[2] ?? "../tinygrad_mnist/explainer/bundle";

await build({
  entryPoints: {
    explain: "src/explain/main.ts",
    training: "src/training/main.ts",
  },
  outdir: folder,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  charset: "utf8",
  legalComments: "inline",
});
