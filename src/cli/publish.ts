/** `sluice publish <topic> [data]`: one event from an argument, or one for every line of a file or of stdin. */
import { randomUUID } from 'node:crypto';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { keySchema, typeSchema } from '../protocol/schemas.ts';
import { parseSpan, parseTopic } from './arguments.ts';
import { createBatches } from './batches.ts';
import type { Context } from './context.ts';
import { createDelivery, type Delivered } from './deliver.ts';
import { CommandError, EXIT, EXIT_HELP } from './exit.ts';
import { createProgress } from './progress.ts';
import type { InputMode } from './publish-input.ts';
import { feed, openSource } from './publish-source.ts';
import { serverOf } from './server.ts';

interface PublishOptions {
  readonly url: string;
  readonly token?: string;
  readonly file?: string;
  readonly type?: string;
  readonly key?: string;
  readonly ephemeral?: boolean;
  readonly json?: boolean;
  readonly text?: boolean;
  readonly events?: boolean;
  readonly quiet?: boolean;
  readonly progress?: boolean;
  readonly retry: boolean;
  readonly retryFor?: number;
}

/** How long to go on trying, in milliseconds: a server that never answered is probably not there. */
const NEVER_ANSWERED_MS = 5000;
const ANSWERED_MS = 3_600_000;
/** How long what was read already may take to be sent after a signal, in milliseconds. */
const FAREWELL_MS = 3000;

export function addPublish(program: Command, context: Context, onEnd: (exitCode: number) => void): void {
  program
    .command('publish')
    .summary('publish events to a topic')
    .description(
      'Publishes one event, or with neither [data] nor --file one for every line of stdin, in order, each exactly once.\n' +
        'Data are JSON where they can be read as such, and a string where they cannot. Prints the cursor after each publish.',
    )
    .argument('<topic>', 'the topic', parseTopic)
    .argument('[data]', 'the data of the event')
    .addOption(new Option('--file <file>', 'a line is an event; a file named *.json is one event; - is stdin'))
    .addOption(new Option('--type <type>', 'the type of the events').argParser(parseWith(typeSchema)))
    .addOption(new Option('--key <key>', 'what the events are about').argParser(parseWith(keySchema)))
    .option('--ephemeral', 'only for whoever is connected now: not stored, and not certain to arrive exactly once')
    .addOption(new Option('--json', 'refuse data that are not JSON').conflicts(['text', 'events']))
    .addOption(new Option('--text', 'take data as strings even if they are JSON').conflicts(['json', 'events']))
    .addOption(
      new Option('--events', 'each line is an event with "data", and perhaps "type" and "key"').conflicts([
        'json',
        'text',
      ]),
    )
    .option('--quiet', 'do not print cursors')
    .option('--progress', 'show progress even if stderr is not a terminal')
    .addOption(
      new Option(
        '--retry-for <duration>',
        'how long to go on trying (default: 5s until the server has answered once, then 1h)',
      ).argParser(parseSpan),
    )
    .option('--no-retry', 'give up at the first failure')
    .addHelpText('after', `\nExample:\n  tail -F access.log | sluice publish logs --text\n${EXIT_HELP}`)
    .action(async (topic: string, data: string | undefined, _: unknown, command: Command) => {
      onEnd(await publish(context, topic, data, command.optsWithGlobals<PublishOptions>()));
    });
}

async function publish(
  context: Context,
  topic: string,
  data: string | undefined,
  options: PublishOptions,
): Promise<number> {
  const { terminal, interruption, now } = context;
  const server = serverOf(options);
  if (data !== undefined && options.file !== undefined)
    throw new CommandError(EXIT.usage, 'give the data or --file, not both');
  const batches = createBatches(now);
  const source = await openSource(context.stdin, data, options.file);
  const event = { type: options.type, key: options.key, ephemeral: options.ephemeral === true };
  const feeding = feed(source, batches, modeOf(options), event);
  interruption.signal.addEventListener('abort', () => batches.end());

  const farewell = new AbortController();
  interruption.signal.addEventListener('abort', () => setTimeout(() => farewell.abort(), FAREWELL_MS).unref());
  const deliver = createDelivery({
    fetch: context.fetch,
    server,
    topic,
    random: context.random,
    now,
    patience: (answered) => (options.retry ? (options.retryFor ?? (answered ? ANSWERED_MS : NEVER_ANSWERED_MS)) : 0),
    onOutage: (text) => terminal.say(text === undefined ? 'sluice: connected again' : `sluice: ${text}; trying again`),
    signal: farewell.signal,
  });
  const progress = createProgress(terminal, now, options.progress === true);
  const run = randomUUID();
  let bytes = 0;
  for (let batch = await batches.next(), number = 1; batch !== undefined; batch = await batches.next(), number += 1) {
    const delivered = await deliver(batch.bodies, `${run}-${number}-`);
    if (delivered.kind !== 'delivered') {
      progress.finish();
      const error = failed(delivered, batch.first, batches.waiting + batch.bodies.length);
      throw interruption.signal.aborted ? new CommandError(interruption.exitCode, error.message) : error;
    }
    for (const body of batch.bodies) bytes += Buffer.byteLength(body);
    if (delivered.cursor !== undefined && options.quiet !== true) await terminal.print(`${delivered.cursor}\n`);
    progress.update(batch.first + batch.bodies.length - 1, bytes, source.part());
  }
  progress.finish();
  if (interruption.signal.aborted) return interruption.exitCode;
  const mistake = await feeding;
  if (mistake !== undefined) throw mistake;
  return EXIT.ok;
}

function modeOf({ json, text, events, file }: PublishOptions): InputMode {
  if (events === true) return 'events';
  if (text === true) return 'text';
  return json === true || file?.endsWith('.json') === true ? 'json' : 'auto';
}

function failed(delivered: Exclude<Delivered, { kind: 'delivered' }>, first: number, waiting: number): CommandError {
  const from = first + delivered.done;
  const done = from === 1 ? '' : `; ${from - 1} events were published before`;
  if (delivered.kind === 'refused') {
    const to = from + delivered.size - 1;
    const which = to === 1 ? '' : from === to ? ` (event ${from})` : ` (events ${from} to ${to})`;
    return new CommandError(EXIT.refused, `${delivered.text}${which}${done}`);
  }
  const lost = waiting - delivered.done > 1 ? `; ${waiting - delivered.done} events were read but not published` : '';
  return new CommandError(EXIT.unreachable, `${delivered.text}${done}${lost}`);
}

interface Checker {
  safeParse(text: string): {
    readonly success: boolean;
    readonly error?: { readonly issues: readonly { message: string }[] };
  };
}

function parseWith(schema: Checker): (text: string) => string {
  return (text) => {
    const result = schema.safeParse(text);
    if (result.success) return text;
    throw new InvalidArgumentError(`${result.error?.issues[0]?.message ?? 'It is not valid'}.`);
  };
}
