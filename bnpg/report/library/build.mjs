// Builds observable-plot.js, and LICENCES.txt of all that is in it; `make charts` runs this in a folder of its own.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const to = process.argv[2];
const result = await build({
  entryPoints: ["entry.js"], bundle: true, minify: true, format: "iife", globalName: "Plot", target: "es2022",
  legalComments: "none", metafile: true, write: false,
});
const parts = new Set(Object.keys(result.metafile.inputs).map(
  path => (path.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)/) ?? [])[1]).filter(Boolean));
const licences = [...parts].sort().map(name => {
  const folder = `node_modules/${name}`, about = JSON.parse(readFileSync(`${folder}/package.json`));
  const file = readdirSync(folder).find(one => /^licen[cs]e/i.test(one));
  return `${name} ${about.version} (${about.license})\n\n${readFileSync(`${folder}/${file}`, "utf-8").trim()}\n`;
});
const version = JSON.parse(readFileSync("node_modules/@observablehq/plot/package.json")).version;
const code = result.outputFiles[0].text.trim().replaceAll("</script", "<\\/script");
writeFileSync(`${to}/observable-plot.js`, `/* Observable Plot ${version} with parts of d3; licences in LICENCES.txt */\n${code}\n`);
writeFileSync(`${to}/LICENCES.txt`, licences.join(`\n${"-".repeat(72)}\n\n`));
