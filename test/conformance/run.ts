/**
 * Runs the conformance suite against any deployment: `npm run conformance -- <url> --secret <secret>`.
 *
 * It writes to topics under `conformance:` and revokes only subjects of its own. Exit codes: 0 all held, 1 something did
 * not, 2 the run could not begin.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startVitest, type TestCase, type TestModule } from 'vitest/node';

const USAGE = `Usage: npm run conformance -- <url> [options]

  --secret <secret>   secret of the deployment's HS256 tokens (or SLUICE_SECRET)
  --audience <aud>    the audience that it asks of tokens
  --issuer <iss>      the issuer that it asks of tokens
  --origin <origin>   an origin that it answers across origins
  --edge              something before it reads HTTP, and sees that a reader is gone only when it writes to it (a proxy, Workers)
  --fast              leave out the tests that wait for heartbeats
  --only <text>       only tests whose name contains this text
  --against <url>     another deployment, to be compared with it case by case; --against-secret is its secret, if that is another

The deployment must run in production mode (\`sluice serve\`): a request without a token is granted nothing.
`;

/** What only a server of one's own can be asked for. */
const NOT_TESTED =
  'Not tested, since it takes a hand on the server: limits, retention, restart, draining, several nodes.';

const OPTIONS = {
  secret: { type: 'string' },
  audience: { type: 'string' },
  issuer: { type: 'string' },
  origin: { type: 'string' },
  only: { type: 'string' },
  against: { type: 'string' },
  'against-secret': { type: 'string' },
  fast: { type: 'boolean', default: false },
  edge: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** Ends the run before it began. */
function refuse(why: string): never {
  process.stderr.write(`${why}\n`);
  process.exit(2);
}

function readArguments() {
  try {
    return parseArgs({ options: OPTIONS, allowPositionals: true });
  } catch (error) {
    return refuse(`${error instanceof Error ? error.message : error}\n\n${USAGE}`);
  }
}

/** Asks the deployment whether it is there, and whether it grants strangers what the suite expects to be refused. */
async function lookAt(url: string): Promise<void> {
  const ask = (path: string) => fetch(`${url}${path}`, { signal: AbortSignal.timeout(10_000) });
  const health = await ask('/healthz').catch((error: Error) =>
    refuse(`nothing answers at ${url}: ${error.cause ?? error}`),
  );
  if (health.status !== 200) refuse(`${url}/healthz answered ${health.status}: is this the right address?`);
  const topics = await ask('/v1/topics');
  if (topics.status === 200) refuse(`${url} grants everything to a request without a token: run it with \`serve\``);
}

/** The tests by section, the first words of whose name say which. */
function summarise(modules: readonly TestModule[]): string {
  const sections = new Map<string, Record<'passed' | 'failed' | 'skipped', number>>();
  for (const module of modules)
    for (const test of module.children.allTests()) {
      const counts = sections.get(sectionOf(test)) ?? { passed: 0, failed: 0, skipped: 0 };
      const { state } = test.result();
      counts[state === 'passed' || state === 'skipped' ? state : 'failed'] += 1;
      sections.set(sectionOf(test), counts);
    }
  const width = Math.max(...[...sections.keys()].map((name) => name.length));
  const lines = [...sections].map(([name, { passed, failed, skipped }]) => {
    const mark = failed > 0 ? '✗' : passed > 0 ? '✓' : '-';
    const rest = [failed > 0 && `${failed} failed`, skipped > 0 && `${skipped} left out`].filter(Boolean).join(', ');
    return `  ${mark} ${name.padEnd(width)}  ${String(passed).padStart(3)} passed${rest && `, ${rest}`}`;
  });
  return lines.join('\n');
}

function sectionOf(test: TestCase): string {
  return test.parent.type === 'suite' ? test.parent.name : '';
}

const { values, positionals } = readArguments();
const [given, ...more] = positionals;
if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}
const address = given ?? process.env['SLUICE_URL'] ?? '';
if (!/^https?:\/\//.test(address) || more.length > 0) refuse(USAGE);
const url = address.replace(/\/+$/, '');
const secret = values.secret ?? process.env['SLUICE_SECRET'] ?? '';
if (secret === '') refuse(`the secret of the deployment is needed, to sign tokens\n\n${USAGE}`);

/** What became of each case, by its name. */
type Outcomes = ReadonlyMap<string, string>;

/** Runs the suite, and says what came of it. */
async function testAt(at: string, of: string): Promise<{ readonly held: boolean; readonly outcomes: Outcomes }> {
  await lookAt(at);
  const vitest = await startVitest([], {
    root: fileURLToPath(new URL('../..', import.meta.url)),
    config: false,
    watch: false,
    include: ['test/conformance/deployment.ts'],
    testTimeout: 30_000,
    ...(values.only !== undefined && { testNamePattern: values.only.replace(/[.*+?^${}()|[\]\\]/g, '\\$&') }),
    env: {
      SLUICE_URL: at,
      SLUICE_SECRET: of,
      SLUICE_AUDIENCE: values.audience ?? '',
      SLUICE_ISSUER: values.issuer ?? '',
      SLUICE_ORIGIN: values.origin ?? '',
      SLUICE_FAST: values.fast ? '1' : '',
      SLUICE_EDGE: values.edge ? '1' : '',
    },
  });
  const modules = vitest.state.getTestModules();
  const held = modules.length > 0 && modules.every((module) => module.state() === 'passed');
  const outcomes = new Map<string, string>();
  for (const module of modules)
    for (const test of module.children.allTests())
      outcomes.set(test.fullName.slice(test.fullName.indexOf(' > ') + 3), test.result().state);
  process.stdout.write(
    `\n${at}\n${summarise(modules)}\n\n${NOT_TESTED}\n${held ? 'Conforms.' : 'Does not conform.'}\n`,
  );
  await vitest.close();
  return { held, outcomes };
}

/** The cases that did not come out alike. */
function differences(one: Outcomes, other: Outcomes): readonly string[] {
  const names = new Set([...one.keys(), ...other.keys()]);
  return [...names].flatMap((name) => {
    const [here, there] = [one.get(name) ?? 'absent', other.get(name) ?? 'absent'];
    return here === there ? [] : [`  ${name}: ${here} and ${there}`];
  });
}

const first = await testAt(url, secret);
if (values.against === undefined) process.exit(first.held ? 0 : 1);
const second = await testAt(values.against.replace(/\/+$/, ''), values['against-secret'] ?? secret);
const differing = differences(first.outcomes, second.outcomes);
const verdict =
  differing.length === 0 ? 'all came out alike' : `these did not come out alike:\n${differing.join('\n')}`;
process.stdout.write(`\nCompared case by case, ${first.outcomes.size} cases: ${verdict}\n`);
process.exit(first.held && second.held && differing.length === 0 ? 0 : 1);
