/** `sluice token`: signs an HS256 token with the server's secret, for a try, a test or a script. */
import { randomUUID } from 'node:crypto';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { SignJWT } from 'jose';
import { DEFAULT_DATA_DIR } from '../config/config.ts';
import type { GrantsClaim } from '../protocol/grants.ts';
import { isTopicPattern } from '../protocol/topic.ts';
import { parseSpan } from './arguments.ts';
import type { Context } from './context.ts';
import { readDevSecret } from './dev-secret.ts';
import { CommandError, EXIT } from './exit.ts';

interface TokenOptions {
  readonly sub?: string;
  readonly role?: string;
  readonly subscribe?: readonly string[];
  readonly publish?: readonly string[];
  readonly presence?: readonly string[];
  readonly admin?: boolean;
  readonly ttl: number;
  readonly dataDir: string;
}

const HOUR_MS = 3_600_000;

export function addToken(program: Command, context: Context, onEnd: (exitCode: number) => void): void {
  const patterns = (name: string, meaning: string) =>
    new Option(`--${name} <pattern...>`, meaning).argParser((text: string, previous: readonly string[] = []) => {
      if (isTopicPattern(text)) return [...previous, text];
      throw new InvalidArgumentError('A pattern is a topic whose segments may be *, and whose last may be **.');
    });
  program
    .command('token')
    .configureHelp({ showGlobalOptions: false })
    .summary('sign a token with the secret of the server')
    .description(
      'Signs a token with AUTH_SECRET, or with the secret that `sluice dev` keeps in its data directory, and prints it.\n' +
        'AUTH_ISSUER and AUTH_AUDIENCE go into it when they are set.',
    )
    .option('--sub <subject>', 'who it is for')
    .option('--role <role>', 'the database role (the server takes `authenticated` when there is none)')
    .addOption(patterns('subscribe', 'topics that it may read: "chat:*", "**"'))
    .addOption(patterns('publish', 'topics that it may publish to'))
    .addOption(patterns('presence', 'topics where it may be present'))
    .option('--admin', 'may administer')
    .addOption(new Option('--ttl <duration>', 'how long it holds').argParser(parseSpan).default(HOUR_MS, '1h'))
    .addOption(
      new Option('--data-dir <dir>', 'where `sluice dev` keeps its secret').env('DATA_DIR').default(DEFAULT_DATA_DIR),
    )
    .addHelpText(
      'after',
      '\nExample:\n  export SLUICE_TOKEN=$(sluice token --sub ada --subscribe "chat:*" --publish chat:lobby)',
    )
    .action(async (options: TokenOptions) => {
      onEnd(await token(context, options));
    });
}

async function token(context: Context, options: TokenOptions): Promise<number> {
  const { env, terminal } = context;
  if (options.ttl < 1000) throw new CommandError(EXIT.usage, 'a token holds for at least one second (--ttl)');
  const given = env['AUTH_SECRET'] ?? '';
  const secret = given.trim() === '' ? await readDevSecret(options.dataDir) : given;
  if (secret === undefined)
    throw new CommandError(
      EXIT.usage,
      `there is nothing to sign with: AUTH_SECRET is not set, and no \`sluice dev\` has run with ${options.dataDir}`,
    );
  const { subscribe, publish, presence, admin } = options;
  const grants: GrantsClaim = {
    ...(subscribe !== undefined && { subscribe: [...subscribe] }),
    ...(publish !== undefined && { publish: [...publish] }),
    ...(presence !== undefined && { presence: [...presence] }),
    ...(admin === true && { admin: true }),
  };
  if (Object.keys(grants).length === 0)
    terminal.say('sluice: this token grants nothing (see --subscribe, --publish, --presence, --admin)');
  const now = Math.floor(context.now() / 1000);
  const jwt = new SignJWT({ ...(options.role !== undefined && { role: options.role }), sluice: grants })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .setJti(randomUUID())
    .setIssuedAt(now)
    .setExpirationTime(now + Math.floor(options.ttl / 1000));
  if (options.sub !== undefined) jwt.setSubject(options.sub);
  const issuer = env['AUTH_ISSUER']?.trim() ?? '';
  if (issuer !== '') jwt.setIssuer(issuer);
  const [audience = ''] = (env['AUTH_AUDIENCE'] ?? '').split(',').map((item) => item.trim());
  if (audience !== '') jwt.setAudience(audience);
  await terminal.print(`${await jwt.sign(new TextEncoder().encode(secret))}\n`);
  return EXIT.ok;
}
