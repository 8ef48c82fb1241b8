// Bundles each widget of src/widgets into one self-contained ES module in featrix_notebook/static.
// One file a widget, because a module loaded from a blob URL cannot import a neighbour. And src/lab
// into an extension of JupyterLab in featrix_notebook/labextension.
import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import * as esbuild from "esbuild";

const BUDGET = 160 * 1024;
const here = new URL("./", import.meta.url);
const out = new URL("../featrix_notebook/static/", here);
const lab = new URL("../featrix_notebook/labextension/", here);

const project = await readFile(new URL("../pyproject.toml", here), "utf8");
const version = /^version\s*=\s*"([^"]+)"/m.exec(project)?.[1];
if (!version) throw new Error("pyproject.toml names no version to build into the bundles");

/** The licences of the npm packages inside a bundle, as they ask to be carried along. */
async function notices(metafile) {
  const names = new Set();
  for (const path of Object.keys(metafile.inputs)) {
    const found = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path);
    if (found) names.add(found[1]);
  }
  const texts = [];
  for (const name of [...names].sort()) {
    const folder = new URL(`node_modules/${name}/`, here);
    const file = (await readdir(folder)).find((f) => /^licen[cs]e/i.test(f));
    if (!file) throw new Error(`${name} has no licence file to carry along`);
    const text = await readFile(new URL(file, folder), "utf8");
    texts.push(`${name}\n${text.trim().replaceAll("*/", "* /")}`);
  }
  return texts.length ? `/*!\n${texts.join("\n\n")}\n*/\n` : "";
}

/** A bundle must work without a network: the only addresses allowed are the names of XML vocabularies. */
function remoteAddresses(code) {
  const addresses = code.match(/(?:https?:)?\/\/[a-z0-9.-]+\.[a-z]{2,}[^\s"'`)]*/gi) ?? [];
  return addresses.filter((a) => !/^http:\/\/www\.w3\.org\//.test(a));
}

/** Style sheets are text in a bundle, and minified like the code around them. */
const styles = {
  name: "styles",
  setup({ onLoad }) {
    onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await esbuild.transform(await readFile(path, "utf8"), { loader: "css", minify: true });
      return { contents: code, loader: "text" };
    });
  },
};

async function built(entry, format) {
  const made = await esbuild.build({
    absWorkingDir: here.pathname,
    entryPoints: [entry],
    bundle: true,
    format,
    target: "es2022",
    minify: true,
    sourcemap: false,
    legalComments: "none",
    charset: "utf8",
    plugins: [styles],
    define: { __VERSION__: JSON.stringify(version) },
    metafile: true,
    write: false,
  });
  const code = made.outputFiles[0].text;
  const remote = remoteAddresses(code);
  if (remote.length) throw new Error(`${entry}: remote addresses in the bundle: ${remote.join(" ")}`);
  return (await notices(made.metafile)) + code;
}

async function bundle(name) {
  const text = await built(`src/widgets/${name}.ts`, "esm");
  const size = Buffer.byteLength(text);
  console.log(`${name}.js  ${(size / 1024).toFixed(1)} KB of ${BUDGET / 1024} KB (gzip ${(gzipSync(text).length / 1024).toFixed(1)} KB)`);
  if (size > BUDGET) throw new Error(`${name}.js is over its budget of ${BUDGET / 1024} KB`);
  await writeFile(new URL(`${name}.js.tmp`, out), text);
  await rename(new URL(`${name}.js.tmp`, out), new URL(`${name}.js`, out));
}

/** What `jupyter labextension` and JupyterLab's page read; the file's name changes with its text. */
async function labExtension() {
  const code = await built("src/lab/extension.ts", "iife");
  const load = `static/remoteEntry.${createHash("sha256").update(code).digest("hex").slice(0, 16)}.js`;
  const name = "featrix-notebook";
  const about = {
    name,
    version,
    description: "Shows the saved picture of a Featrix widget whose kernel is gone",
    license: "BSD-3-Clause",
    jupyterlab: { extension: true, _build: { load, extension: "./extension" } },
  };
  const install = {
    packageManager: "python",
    packageName: name,
    uninstallInstructions: `pip uninstall ${name}`,
  };
  await rm(lab, { recursive: true, force: true });
  await mkdir(new URL("static/", lab), { recursive: true });
  await writeFile(new URL(load, lab), code);
  await writeFile(new URL("install.json", lab), JSON.stringify(install, null, 2));
  await writeFile(new URL("package.json", lab), JSON.stringify(about, null, 2));
}

await mkdir(out, { recursive: true });
const names = (await readdir(new URL("src/widgets/", here)))
  .filter((f) => f.endsWith(".ts"))
  .map((f) => f.slice(0, -".ts".length));
for (const file of await readdir(out)) {
  if (!names.includes(file.replace(/\.js$/, ""))) await rm(new URL(file, out));
}
try {
  for (const name of names) await bundle(name);
  await labExtension();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
