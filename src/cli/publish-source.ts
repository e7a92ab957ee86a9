/** Where `publish` takes its lines from, and how they get from there into batches. */
import { createReadStream } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import type { Batches } from './batches.ts';
import type { Context } from './context.ts';
import { CommandError, EXIT } from './exit.ts';
import { type EventOptions, type InputMode, linesOf, readLine } from './publish-input.ts';

export interface Source {
  readonly lines: AsyncIterable<readonly string[]> | Iterable<readonly string[]>;
  /** What people call the nth piece of the input. */
  nameOf(number: number): string;
  /** How much has been read, 0 to 1; `undefined` where the size is not known. */
  part(): number | undefined;
}

/**
 * The data, the file, or stdin: what is given, in this order. A file named `*.json` is one piece.
 * @throws CommandError when there is nothing to read, or the file cannot be read
 */
export async function openSource(
  stdin: Context['stdin'],
  data: string | undefined,
  file: string | undefined,
): Promise<Source> {
  if (data !== undefined) return whole(data, 'the data');
  if (file !== undefined && file !== '-') {
    try {
      return await openFile(file);
    } catch (error) {
      throw new CommandError(EXIT.usage, `the file cannot be read: ${(error as Error).message}`);
    }
  }
  if (stdin.isTTY === true && file === undefined)
    throw new CommandError(
      EXIT.usage,
      'nothing to publish: give the data, --file, or lines on stdin (--file - to type them)',
    );
  return { lines: linesOf(stdin), nameOf: nameOfLine, part: () => undefined };
}

async function openFile(file: string): Promise<Source> {
  if (file.endsWith('.json')) return whole((await readFile(file, 'utf8')).trim(), file);
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    // Closes the handle when it ends.
    const stream = createReadStream(file, { fd: handle });
    const part = () => (size === 0 ? 1 : Math.min(1, stream.bytesRead / size));
    return { lines: linesOf(stream), nameOf: nameOfLine, part };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function whole(text: string, name: string): Source {
  return { lines: [[text]], nameOf: () => name, part: () => undefined };
}

function nameOfLine(number: number): string {
  return `line ${number} (blank ones not counted)`;
}

/**
 * Reads the source into the batches, as fast as they have space, and ends them. What cannot be read ends it, after what
 * came before, and is the answer: it matters only when all of that has been published.
 */
export async function feed(
  source: Source,
  batches: Batches,
  mode: InputMode,
  event: EventOptions,
): Promise<CommandError | undefined> {
  let number = 0;
  try {
    for await (const lines of source.lines) {
      const bodies: string[] = [];
      for (const line of lines) {
        number += 1;
        const result = readLine(line, mode, event);
        if (result.ok) bodies.push(result.body);
        else {
          batches.add(bodies);
          return new CommandError(EXIT.usage, `${source.nameOf(number)} cannot be published: ${result.reason}`);
        }
      }
      batches.add(bodies);
      await batches.space();
    }
    return undefined;
  } catch (error) {
    return new CommandError(EXIT.failure, `${source.nameOf(number + 1)} cannot be read: ${(error as Error).message}`);
  } finally {
    batches.end();
  }
}
