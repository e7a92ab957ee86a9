/** What browsers load of this package: how large each part is, and what is in it. */
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { type Bundle, bundleWidget } from '../src/node/bundle-widget.ts';

export interface Entry {
  readonly name: string;
  readonly bundle: () => Promise<Bundle>;
  /** The rooms of `src` that it may hold. */
  readonly rooms: readonly string[];
  /** Bytes, minified and gzipped: what it is to be at most, and what it is to reach for. */
  readonly bar: number;
  readonly reach: number;
  /** Bytes beyond which it must not grow while it has not come down to its bar. */
  readonly held?: number;
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
  {
    name: 'connect of sluice/client',
    bundle: () => bundleModule('src/client/connect.ts'),
    rooms: ['client', 'protocol'],
    bar: 7168,
    reach: 5120,
  },
  {
    name: 'createClient of sluice/client',
    bundle: () => bundleModule('src/client/create-client.ts'),
    rooms: ['client', 'protocol'],
    bar: 16_384,
    reach: 12_288,
    held: 18_650,
  },
  { name: 'sluice/widget', bundle: bundleWidget, rooms: ['widget', 'protocol'], bar: 6144, reach: 3584 },
];

/** A module and all that it imports, as Vite would build it. @param file below the root */
export async function bundleModule(file: string): Promise<Bundle> {
  const build = await rolldown({ input: `${ROOT}${file}`, platform: 'browser' });
  const { output } = await build.generate({ format: 'esm', minify: true });
  await build.close();
  const [{ code, moduleIds }] = output;
  // What tells a bundler which calls have no effect is of no use once there is nothing left to bundle.
  return { text: code.replaceAll(/\/\* @__PURE__ \*\/ ?/g, ''), files: moduleIds };
}

export async function measure(entry: Entry): Promise<Measured> {
  const { text, files } = await entry.bundle();
  return {
    entry,
    size: gzipSync(text, { level: 9 }).byteLength,
    strangers: files
      .map((file) => relative(ROOT, file))
      .filter((file) => !entry.rooms.some((room) => file.startsWith(`src/${room}/`))),
  };
}

/** What it must not grow past. */
export function boundOf({ bar, held = bar }: Entry): number {
  return Math.max(bar, held);
}
