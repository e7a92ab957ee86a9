/** The widget as one file for `<script type="module">`, made from its source by esbuild. The published package has it made already. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BuildOptions } from 'esbuild';

export interface Bundle {
  readonly text: string;
  /** The files that went into it, by their whole paths. */
  readonly files: readonly string[];
}

/**
 * Names of members that only the widget's own files use, and that neither the wire nor the platform has (`join` is one of an array's):
 * they are shortened. One that is missing here costs some bytes.
 */
const OWN_NAMES = [
  ...['again', 'entered', 'failures', 'heard', 'late', 'phase', 'since'],
  ...['address', 'leave', 'statusesOf', 'tell', 'topics', 'wake', 'watch'],
  ...['expiring', 'newestOnly', 'observer', 'pause', 'pending', 'settled', 'takeGap', 'takePage'],
  ...['locale', 'miss', 'receive', 'redraw', 'reset', 'say', 'settle', 'show', 'tree', 'update', 'whole'],
];

const OPTIONS = {
  entryPoints: [fileURLToPath(new URL('../widget/define.ts', import.meta.url))],
  bundle: true,
  write: false,
  metafile: true,
  minify: true,
  format: 'esm',
  target: 'es2024',
  charset: 'utf8',
  legalComments: 'none',
  mangleProps: new RegExp(`^(?:${OWN_NAMES.join('|')})$`),
  logLevel: 'silent',
} as const satisfies BuildOptions;

/** @throws where esbuild or the source is not there */
export async function bundleWidget(): Promise<Bundle> {
  const { build } = await import('esbuild');
  const { outputFiles, metafile } = await build(OPTIONS);
  // esbuild names files from where it runs.
  return { text: outputFiles[0]?.text ?? '', files: Object.keys(metafile.inputs).map((file) => resolve(file)) };
}
