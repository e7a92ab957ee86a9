/** A worker as one module, as it would be deployed. */
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

export interface WorkerBundle {
  readonly code: string;
  /** What it wants from outside: of the runtime, if all is well. */
  readonly imports: readonly string[];
  /** The files that it is made of. */
  readonly files: readonly string[];
}

/** @param file below the root of the project */
export async function bundleWorker(file: string): Promise<WorkerBundle> {
  const build = await rolldown({
    input: fileURLToPath(new URL(`../../${file}`, import.meta.url)),
    platform: 'neutral',
    resolve: { mainFields: ['module', 'main'], conditionNames: ['workerd', 'worker', 'browser', 'import'] },
    // What only Node or workerd has stays an import, so that it can be seen.
    external: [/^node:/, /^cloudflare:/],
  });
  try {
    const { output } = await build.generate({ format: 'esm', codeSplitting: false });
    const { code, imports, dynamicImports, moduleIds } = output[0];
    return { code, imports: [...imports, ...dynamicImports], files: moduleIds };
  } finally {
    await build.close();
  }
}
