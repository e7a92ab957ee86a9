/** What browsers load of this package: how large each part is, and what is in it. */
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { type Bundle, bundleWidget } from '../src/node/bundle-widget.ts';

export interface Entry {
  readonly name: string;
  readonly bundle: () => Promise<Bundle>;
  /** The rooms of `src` that it may hold. */
  readonly rooms: readonly string[];
  /** Bytes, minified and gzipped, beyond which it must not grow, and which it is to reach for. */
  readonly bar: number;
  readonly reach: number;
}

export interface Measured {
  readonly entry: Entry;
  /** Bytes, minified and gzipped. */
  readonly size: number;
  /** Files that must not be in it: of other rooms, and of packages. */
  readonly strangers: readonly string[];
}

const ROOT = fileURLToPath(new URL('../', import.meta.url));

export const ENTRIES: readonly Entry[] = [
  { name: 'sluice/widget', bundle: bundleWidget, rooms: ['widget', 'protocol'], bar: 6144, reach: 3584 },
];

/** A module and all that it imports, for entries that are built without options of their own. @param file below the root */
export async function bundleModule(file: string): Promise<Bundle> {
  const { outputFiles, metafile } = await build({
    entryPoints: [`${ROOT}${file}`],
    bundle: true,
    write: false,
    metafile: true,
    minify: true,
    format: 'esm',
    target: 'es2024',
    platform: 'browser',
    logLevel: 'silent',
  });
  return { text: outputFiles[0]?.text ?? '', metafile };
}

export async function measure(entry: Entry): Promise<Measured> {
  const { text, metafile } = await entry.bundle();
  // esbuild names files from where it runs.
  const files = Object.keys(metafile.inputs).map((file) => relative(ROOT, file));
  return {
    entry,
    size: gzipSync(text, { level: 9 }).byteLength,
    strangers: files.filter((file) => !entry.rooms.some((room) => file.startsWith(`src/${room}/`))),
  };
}
