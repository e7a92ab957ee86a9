/** `sluice tail <topic>…`: the events of one or more topics on stdout, across every cut of the line. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../config/units.ts';
import { parseCompoundCursor } from '../protocol/cursor.ts';
import type { Event } from '../protocol/event.ts';
import { parseFilter } from '../protocol/filter.ts';
import type { SseBlock } from '../protocol/sse.ts';
import { parseTopic, parseWhole } from './arguments.ts';
import type { Context } from './context.ts';
import { readCursorFile, writeCursorFile } from './cursor-file.ts';
import { CommandError, EXIT, EXIT_HELP } from './exit.ts';
import { follow, readControl } from './follow.ts';
import { serverOf } from './server.ts';
import { formatEvent, formatGap } from './tail-format.ts';

interface TailOptions {
  readonly url: string;
  readonly token?: string;
  readonly since?: string;
  readonly last?: number;
  readonly after?: string;
  readonly cursorFile?: string;
  readonly filter?: readonly string[];
  readonly types?: string;
  readonly count?: number;
  readonly json?: boolean;
  readonly retry: boolean;
}

export function addTail(program: Command, context: Context, onEnd: (exitCode: number) => void): void {
  program
    .command('tail')
    .summary('print the events of topics as they come')
    .description(
      'Prints the events of topics as they come, and goes on across every cut of the line without loss or repeat.\n' +
        'Starts with what comes next, unless one of --since, --last, --after or --cursor-file says otherwise.',
    )
    .argument('<topic...>', 'the topics', collect(parseTopic))
    .addOption(
      new Option('--since <time>', 'from a time on: RFC 3339, or so long ago (10m, 2h, 3d)')
        .argParser((text) => parseSince(text, context.now()))
        .conflicts(['last', 'after']),
    )
    .addOption(
      new Option('--last <n>', 'the newest n events first').argParser(parseWhole(0, 100_000)).conflicts(['after']),
    )
    .addOption(new Option('--after <cursor>', 'what follows a cursor; or earliest, latest').argParser(parseAfter))
    .option(
      '--cursor-file <file>',
      'keep the position in a file: a later run goes on from there, and the options above count only for the first',
    )
    .addOption(
      new Option('--filter <field=op.value>', 'only events whose data match (repeatable)').argParser(
        collect(parseFilterText),
      ),
    )
    .option('--types <a,b>', 'only events of these types')
    .addOption(new Option('--count <n>', 'end after n events').argParser(parseWhole(1, Number.MAX_SAFE_INTEGER)))
    .option('--json', 'one event a line as JSON; gaps as JSON on stderr')
    .option('--no-retry', 'end at the first cut (exit code 4)')
    .addHelpText('after', EXIT_HELP)
    .action(async (topics: readonly string[], _: unknown, command: Command) => {
      onEnd(await tail(context, topics, command.optsWithGlobals<TailOptions>()));
    });
}

async function tail(context: Context, topics: readonly string[], options: TailOptions): Promise<number> {
  const { terminal, interruption } = context;
  const server = serverOf(options);
  const position = options.cursorFile === undefined ? undefined : await readCursorFile(options.cursorFile);
  const printer = createPrinter(context, options, position);
  const steps = follow({
    fetch: context.fetch,
    server,
    ...request(topics, options),
    start: startOf(options),
    position,
    retry: options.retry,
    random: context.random,
    signal: interruption.signal,
  });
  for await (const step of steps) {
    if (step.kind === 'blocks') {
      if (await printer(step.blocks)) return EXIT.ok;
    } else if (step.kind === 'waiting') {
      if (step.attempt === 1) terminal.say(`sluice: ${step.text}; trying again`);
    } else if (step.kind === 'refused') throw new CommandError(EXIT.refused, step.text);
    else if (step.kind === 'foreign') throw new CommandError(EXIT.failure, step.text);
    else throw new CommandError(EXIT.unreachable, step.text);
  }
  return interruption.exitCode;
}

/** Prints blocks; resolves when they are with the operating system and the position is kept. `true` when enough came. */
function createPrinter(
  { terminal }: Context,
  options: TailOptions,
  position: string | undefined,
): (blocks: readonly SseBlock[]) => Promise<boolean> {
  let cursor = position;
  let saved = position;
  let count = 0;
  return async (blocks) => {
    let text = '';
    const flush = async () => {
      if (text !== '') await terminal.print(text);
      text = '';
    };
    for (const block of blocks) {
      const control = readControl(block);
      if (control?.name === 'gap') {
        await flush();
        terminal.say(
          options.json === true ? JSON.stringify({ control: 'gap', ...control.data }) : formatGap(control.data),
        );
      } else if (control?.name === 'expiring') terminal.say(`sluice: the token expires at ${control.data.at}`);
      else if (block.event?.startsWith('$') !== true) {
        const event = parseEvent(block.data);
        text += options.json === true ? `${block.data}\n` : formatEvent(event, terminal.paint);
        count += 1;
      }
      if (block.id !== undefined && block.id !== '') cursor = block.id;
      if (count === options.count) break;
    }
    await flush();
    if (options.cursorFile !== undefined && cursor !== undefined && cursor !== saved) {
      await writeCursorFile(options.cursorFile, cursor);
      saved = cursor;
    }
    return count === options.count;
  };
}

function parseEvent(data: string): Event {
  try {
    const event: unknown = JSON.parse(data);
    if (typeof event === 'object' && event !== null && 'topic' in event) return event as Event;
  } catch {
    // Told below, together with JSON that is no event.
  }
  throw new CommandError(EXIT.failure, 'the server sent something that is not an event');
}

function request(topics: readonly string[], options: TailOptions): { path: string; query: URLSearchParams } {
  const query = new URLSearchParams();
  const [only = ''] = topics;
  if (topics.length > 1) for (const topic of topics) query.append('topic', topic);
  for (const filter of options.filter ?? []) query.append('filter', filter);
  if (options.types !== undefined) query.set('types', options.types);
  return { path: topics.length > 1 ? '/v1/events' : `/v1/topics/${encodeURIComponent(only)}/events`, query };
}

function startOf({ since, last, after }: TailOptions): Record<string, string> {
  if (after !== undefined) return { after };
  if (since !== undefined) return { since };
  return last === undefined ? {} : { last: String(last) };
}

function parseSince(text: string, now: number): string {
  const ago = parseDuration(text);
  const time =
    ago === undefined ? (/^[0-9]{4}-[0-9]{2}-[0-9]{2}/.test(text) ? Date.parse(text) : Number.NaN) : now - ago;
  if (Number.isNaN(time))
    throw new InvalidArgumentError('It is a time such as 2030-01-31T12:00:00Z, or a duration such as 10m.');
  return new Date(time).toISOString();
}

function parseAfter(text: string): string {
  if (text === 'earliest' || text === 'latest' || parseCompoundCursor(text) !== undefined) return text;
  throw new InvalidArgumentError('It is a cursor as the server gave it, earliest, or latest.');
}

function parseFilterText(text: string): string {
  if (parseFilter(text) !== undefined) return text;
  throw new InvalidArgumentError('A filter is <field>=<op>.<value>, with op one of eq neq gt gte lt lte in is.');
}

/** Gathers the values of an option or argument that can be repeated. */
function collect(parse: (text: string) => string): (text: string, previous?: readonly string[]) => readonly string[] {
  return (text, previous = []) => [...previous, parse(text)];
}
