/** `sluice topics`: what topics there are. Needs a token with `admin`. */
import { type Command, Option } from 'commander';
import type { z } from 'zod';
import { formatSize } from '../config/units.ts';
import { topicListSchema } from '../protocol/schemas.ts';
import type { Context } from './context.ts';
import { CommandError, EXIT, EXIT_HELP } from './exit.ts';
import { ask, failureText, type Server, serverOf } from './server.ts';
import { type Paint, printable } from './terminal.ts';

interface TopicsOptions {
  readonly url: string;
  readonly token?: string;
  readonly prefix?: string;
  readonly json?: boolean;
}

type TopicList = z.infer<typeof topicListSchema>;
type TopicInfo = TopicList['topics'][number];

const PAGE = 1000;
/** Milliseconds for one page. */
const PATIENCE_MS = 30_000;

export function addTopics(program: Command, context: Context, onEnd: (exitCode: number) => void): void {
  program
    .command('topics')
    .summary('list the topics (admin)')
    .description(
      'Lists the topics in order of their names. Needs a token with admin rights, which `sluice dev` gives to all.',
    )
    .addOption(new Option('--prefix <text>', 'only topics whose names begin so'))
    .option('--json', 'one topic a line as JSON')
    .addHelpText('after', EXIT_HELP)
    .action(async (_: unknown, command: Command) => {
      onEnd(await topics(context, command.optsWithGlobals<TopicsOptions>()));
    });
}

async function topics(context: Context, options: TopicsOptions): Promise<number> {
  const server = serverOf(options);
  let after: string | undefined;
  let table: ((infos: readonly TopicInfo[]) => string) | undefined;
  do {
    const page = await readPage(context, server, options.prefix, after);
    if (options.json === true) {
      const text = page.topics.map((info) => `${JSON.stringify(info)}\n`).join('');
      if (text !== '') await context.terminal.print(text);
    } else if (page.topics.length === 0 && table === undefined) context.terminal.say('no topics yet');
    else {
      table ??= createTable(page.topics, context.terminal.paint);
      await context.terminal.print(table(page.topics));
    }
    after = page.next;
  } while (after !== undefined);
  return EXIT.ok;
}

async function readPage(
  context: Context,
  server: Server,
  prefix: string | undefined,
  after: string | undefined,
): Promise<TopicList> {
  const query = new URLSearchParams({ limit: String(PAGE) });
  if (prefix !== undefined) query.set('prefix', prefix);
  if (after !== undefined) query.set('after', after);
  const { signal: interrupted } = context.interruption;
  const signal = AbortSignal.any([interrupted, AbortSignal.timeout(PATIENCE_MS)]);
  try {
    const reply = await ask(context.fetch, server, `/v1/topics?${query}`, { signal });
    if (reply.kind === 'refused') throw new CommandError(EXIT.refused, reply.text);
    if (reply.kind === 'later') throw new CommandError(EXIT.unreachable, reply.text);
    const parsed = topicListSchema.safeParse(await reply.response.json());
    if (parsed.success) return parsed.data;
  } catch (error) {
    if (error instanceof CommandError) throw error;
    if (interrupted.aborted) throw new CommandError(context.interruption.exitCode, 'interrupted');
    if (!(error instanceof SyntaxError)) throw new CommandError(EXIT.unreachable, failureText(error, server));
  }
  throw new CommandError(
    EXIT.failure,
    `${server.url} answered with something else than topics: is this a Sluice server?`,
  );
}

/** Rows under a header that is written once. The first page decides the widths, so that later ones need not be waited for. */
function createTable(first: readonly TopicInfo[], paint: Paint): (infos: readonly TopicInfo[]) => string {
  const header = ['TOPIC', 'EVENTS', 'SIZE', 'READERS', 'UPDATED', 'CURSOR'];
  const right = new Set([1, 2, 3]);
  const widths = header.map((title, column) =>
    Math.max(title.length, ...first.map((info) => length(cells(info)[column] ?? ''))),
  );
  const row = (columns: readonly string[]) =>
    columns
      .map((cell, column) => {
        const space = ' '.repeat(Math.max(0, (widths[column] ?? 0) - length(cell)));
        return right.has(column) ? space + cell : cell + space;
      })
      .join('  ')
      .trimEnd();
  let begun = false;
  return (infos) => {
    const lines = infos.map((info) => row(cells(info)));
    if (!begun) lines.unshift(paint('bold', row(header)));
    begun = true;
    return `${lines.join('\n')}\n`;
  };
}

function cells(info: TopicInfo): readonly string[] {
  return [
    printable(info.topic),
    String(info.events),
    formatSize(info.bytes),
    String(info.subscribers),
    info.updated ?? '-',
    info.latest,
  ];
}

/** Code points: enough to align what is not of double width. */
function length(text: string): number {
  return [...text].length;
}
