/** The secret of a development server: made once, kept in its data directory, readable by its owner alone. */
import { randomBytes, randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The secret, or `undefined` when no development server has run in this directory. */
export async function readDevSecret(dataDir: string): Promise<string | undefined> {
  try {
    const secret = (await readFile(join(dataDir, 'dev-secret'), 'utf8')).trim();
    return secret === '' ? undefined : secret;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The secret, made if there is none: 48 random bytes as Base64. Two processes that make one at once agree on it. */
export async function ensureDevSecret(dataDir: string): Promise<string> {
  const known = await readDevSecret(dataDir);
  if (known !== undefined) return known;
  await mkdir(dataDir, { recursive: true });
  const file = join(dataDir, 'dev-secret');
  const temporary = `${file}.${randomUUID()}`;
  await writeFile(temporary, `${randomBytes(48).toString('base64')}\n`, { mode: 0o600 });
  try {
    // A link fails where the name is taken, and what it names is whole: nobody reads half a secret.
    await link(temporary, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    await rm(temporary);
  }
  const secret = await readDevSecret(dataDir);
  if (secret === undefined) throw new Error(`${file} is empty: remove it, so that a new secret can be made`);
  return secret;
}
