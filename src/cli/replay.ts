/** `sluice replay <topic>`: the past of a topic once more, with the pauses that it had, on stdout or into another topic. */
import { randomUUID } from 'node:crypto';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { parseDuration } from '../config/units.ts';
import { parseCompoundCursor } from '../protocol/cursor.ts';
import { splitObject } from '../records/row-text.ts';
import { parseTopic } from './arguments.ts';
import { BATCH_LIMITS } from './batches.ts';
import type { Context } from './context.ts';
import { createDelivery } from './deliver.ts';
import { CommandError, EXIT, EXIT_HELP } from './exit.ts';
import { pause } from './pause.ts';
import { pagesOf } from './replay-pages.ts';
import { type Server, serverOf } from './server.ts';
import { formatGap } from './tail-format.ts';

interface ReplayOptions {
  readonly url: string;
  readonly token?: string;
  readonly from: Readonly<Record<string, string>>;
  /** Milliseconds since 1970. */
  readonly to?: number;
  readonly speed: number;
  readonly into?: string;
  readonly retry: boolean;
}

/** Takes events that are due, as JSON texts in their order. */
type Sink = (events: readonly string[]) => Promise<void>;

/** How long to go on trying to publish, in milliseconds. */
const PUBLISH_MS = 3_600_000;
/** How long what is being published may take after a signal, in milliseconds. */
const FAREWELL_MS = 3000;
/** A timer holds no more than 24 days. */
const LONGEST_PAUSE_MS = 3_600_000;

export function addReplay(program: Command, context: Context, onEnd: (exitCode: number) => void): void {
  const parse = (text: string) => parseTime(text, context.now());
  program
    .command('replay')
    .summary('play the past of a topic once more')
    .description(
      'Prints the events of a topic as JSON, one a line, with the pauses that were between them; or publishes them to another\n' +
        'topic, with their type, key and data. Ends where the topic ends.',
    )
    .argument('<topic>', 'the topic', parseTopic)
    .addOption(
      new Option(
        '--from <start>',
        'a time (RFC 3339), so long ago (10m, 2h, 3d), a cursor that it begins after, or earliest',
      )
        .argParser((text) => parseStart(text, context.now()))
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--to <time>', 'ends with the last event at or before this time, or so long ago').argParser(parse),
    )
    .addOption(
      new Option('--speed <n|max>', 'how many times faster than it was; max leaves out the pauses')
        .argParser(parseSpeed)
        .default(1),
    )
    .addOption(
      new Option('--into <topic>', 'publishes the events to this topic, and prints the cursors').argParser(parseTopic),
    )
    .option('--no-retry', 'give up at the first failure')
    .addHelpText(
      'after',
      `\nExample:\n  sluice replay orders --from 1h --speed 60 --into orders:rehearsal\n${EXIT_HELP}`,
    )
    .action(async (topic: string, _: unknown, command: Command) => {
      onEnd(await replay(context, topic, command.optsWithGlobals<ReplayOptions>()));
    });
}

async function replay(context: Context, topic: string, options: ReplayOptions): Promise<number> {
  const { terminal, interruption, now } = context;
  const { from, to = Number.POSITIVE_INFINITY, speed, into, retry } = options;
  if (into === topic)
    throw new CommandError(EXIT.usage, 'a topic cannot be replayed into itself: it would have no end');
  const server = serverOf(options);
  const sink: Sink =
    into === undefined
      ? (events) => terminal.print(events.map((json) => `${json}\n`).join(''))
      : publishInto(context, server, into, retry);
  let first: { readonly time: number; readonly at: number } | undefined;
  for await (const { events, gap } of pagesOf(context, { server, topic, start: from, retry })) {
    if (gap !== undefined) terminal.say(formatGap(gap));
    let due: string[] = [];
    const flush = async () => {
      if (due.length > 0) await sink(due);
      due = [];
    };
    for (const { json, time } of events) {
      if (time > to) {
        await flush();
        return EXIT.ok;
      }
      first ??= { time, at: now() };
      // Counted from the first event, so that what takes time here does not add up.
      const at = first.at + (time - first.time) / speed;
      if (at > now()) await flush();
      for (let ms = at - now(); ms > 0 && !interruption.signal.aborted; ms = at - now())
        await pause(Math.min(Math.ceil(ms), LONGEST_PAUSE_MS), interruption.signal);
      if (interruption.signal.aborted) return interruption.exitCode;
      due.push(json);
    }
    await flush();
  }
  return interruption.signal.aborted ? interruption.exitCode : EXIT.ok;
}

function publishInto(context: Context, server: Server, topic: string, retry: boolean): Sink {
  const { terminal, interruption } = context;
  const farewell = new AbortController();
  interruption.signal.addEventListener('abort', () => setTimeout(() => farewell.abort(), FAREWELL_MS).unref());
  const deliver = createDelivery({
    fetch: context.fetch,
    server,
    topic,
    random: context.random,
    now: context.now,
    patience: () => (retry ? PUBLISH_MS : 0),
    onOutage: (text) => terminal.say(text === undefined ? 'sluice: connected again' : `sluice: ${text}; trying again`),
    signal: farewell.signal,
  });
  const run = randomUUID();
  let number = 0;
  let published = 0;
  return async (events) => {
    for (const bodies of batchesOf(events.map(inputOf))) {
      if (interruption.signal.aborted) return;
      number += 1;
      const delivered = await deliver(bodies, `${run}-${number}-`);
      if (delivered.kind !== 'delivered') {
        const done = published + delivered.done;
        const code = delivered.kind === 'refused' ? EXIT.refused : EXIT.unreachable;
        const { aborted } = interruption.signal;
        throw new CommandError(
          aborted ? interruption.exitCode : code,
          `${delivered.text}; ${done} events were published`,
        );
      }
      published += bodies.length;
      if (delivered.cursor !== undefined) await terminal.print(`${delivered.cursor}\n`);
    }
  };
}

/** An event as its publisher says it, each member the text that it was. */
function inputOf(json: string): string {
  const members = splitObject(json);
  const kept = ['type', 'data', 'key', 'version'].flatMap((name) => {
    const raw = members.get(name);
    return raw === undefined ? [] : [`"${name}":${raw}`];
  });
  return `{${kept.join(',')}}`;
}

function* batchesOf(bodies: readonly string[]): Generator<readonly string[], void, void> {
  let batch: string[] = [];
  let bytes = 0;
  for (const body of bodies) {
    const size = Buffer.byteLength(body) + 1;
    if (batch.length > 0 && (batch.length === BATCH_LIMITS.events || bytes + size > BATCH_LIMITS.bytes)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(body);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}

function parseStart(text: string, now: number): Readonly<Record<string, string>> {
  if (text === 'earliest' || parseCompoundCursor(text) !== undefined) return { after: text };
  return { since: new Date(parseTime(text, now)).toISOString() };
}

/** Milliseconds since 1970. */
function parseTime(text: string, now: number): number {
  const ago = parseDuration(text);
  const time =
    ago === undefined ? (/^[0-9]{4}-[0-9]{2}-[0-9]{2}/.test(text) ? Date.parse(text) : Number.NaN) : now - ago;
  if (!Number.isNaN(new Date(time).getTime())) return time;
  throw new InvalidArgumentError('It is a time such as 2030-01-31T12:00:00Z, or a duration such as 10m.');
}

function parseSpeed(text: string): number {
  if (text === 'max') return Number.POSITIVE_INFINITY;
  const speed = /^[0-9]{1,9}(?:\.[0-9]{1,6})?$/.test(text) ? Number(text) : 0;
  if (speed > 0) return speed;
  throw new InvalidArgumentError('It is a number above 0, such as 10 or 0.5, or max.');
}
