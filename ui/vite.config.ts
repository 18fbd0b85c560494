import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { constants, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vitest/config";

const OUT = join(import.meta.dirname, "../operator/tradewind/server/static");
const SERVER = process.env.TRADEWIND_SERVER ?? "http://127.0.0.1:8080";

/** Beside each text file its gzipped form, so that the server compresses nothing. */
function precompressed(): Plugin {
  return {
    name: "precompressed",
    apply: "build",
    closeBundle() {
      for (const path of readdirSync(OUT, { recursive: true, encoding: "utf8" })) {
        if (!/\.(js|css|svg|html)$/.test(path)) continue;
        const packed = gzipSync(readFileSync(join(OUT, path)), { level: constants.Z_BEST_COMPRESSION });
        packed[9] = 255; // the operating system's byte: the same files everywhere
        writeFileSync(join(OUT, `${path}.gz`), packed);
      }
      writeFileSync(join(OUT, "licences.txt"), licences());
      writeFileSync(join(OUT, "source.sha256"), `${sourceHash()}\n`);
    },
  };
}

/** The licence texts of the packages whose code is in the built files. */
function licences(): string {
  const lock = JSON.parse(readFileSync(join(import.meta.dirname, "package-lock.json"), "utf8"));
  const packages = lock.packages as Record<string, { version: string; license: string; dev?: boolean }>;
  return Object.entries(packages)
    .filter(([path, about]) => path !== "" && !about.dev)
    .map(([path, { version, license }]) => {
      const folder = join(import.meta.dirname, path);
      const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
      if (!file) throw new Error(`${path} has no licence text`);
      return `${path.replace(/^.*node_modules\//, "")} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
    })
    .join("\n\n----\n\n");
}

/** A hash over what the build reads; the wheel's build compares it. */
function sourceHash(): string {
  const hash = createHash("sha256");
  const root = import.meta.dirname;
  const own = ["index.html", "package-lock.json", "vite.config.ts", "tsconfig.json"];
  for (const folder of ["public", "src"])
    for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true }))
      if (entry.isFile()) own.push(relative(root, join(entry.parentPath, entry.name)));
  for (const path of own.map((name) => name.replaceAll("\\", "/")).sort())
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(root, path)))
      .update("\0");
  return hash.digest("hex");
}

export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    manifest: "manifest.json",
  },
  server: { host: "127.0.0.1", proxy: { "/api": SERVER } },
  plugins: [precompressed()],
  test: { environment: "happy-dom", include: ["tests/**/*.test.{ts,tsx}"] },
});
