/** A position kept in a file between runs: the cursor as text, and a line break. */
import { open, readFile, rename } from 'node:fs/promises';
import { parseCompoundCursor } from '../protocol/cursor.ts';
import { CommandError, EXIT } from './exit.ts';

/**
 * Reads the position.
 *
 * @returns `undefined` when there is no such file yet
 * @throws CommandError when it holds anything but a cursor: going on from somewhere else would lose or repeat events
 */
export async function readCursorFile(file: string): Promise<string | undefined> {
  let text: string;
  try {
    text = (await readFile(file, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new CommandError(EXIT.failure, `the cursor file cannot be read: ${(error as Error).message}`);
  }
  if (parseCompoundCursor(text) !== undefined) return text;
  throw new CommandError(EXIT.usage, `${file} does not hold a cursor; remove it to begin anew`);
}

/** Replaces the position in one step that survives a crash: a reader finds the old one or the new one, never a part. */
export async function writeCursorFile(file: string, cursor: string): Promise<void> {
  const temporary = `${file}.tmp`;
  try {
    const handle = await open(temporary, 'w', 0o600);
    try {
      await handle.writeFile(`${cursor}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    throw new CommandError(EXIT.failure, `the cursor file cannot be written: ${(error as Error).message}`);
  }
}
