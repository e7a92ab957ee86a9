/** A module and all that it imports as one script for a page of a real browser. */
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

export async function bundlePage(file: URL): Promise<string> {
  const build = await rolldown({ input: fileURLToPath(file), platform: 'browser' });
  try {
    const { output } = await build.generate({ format: 'esm', codeSplitting: false });
    return output[0].code;
  } finally {
    await build.close();
  }
}
