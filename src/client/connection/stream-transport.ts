/** Reading by one stream of NDJSON over `fetch`: `POST /v1/streams`, changed by `PATCH` (protocol section 2). */
import type { ControlData } from '../../protocol/control.ts';
import type { Event } from '../../protocol/event.ts';
import { MAX_LINE_LENGTH } from '../../protocol/ndjson.ts';
import { piecesOf } from '../pieces.ts';
import { endOf } from './answers.ts';
import type { OpenTransport, TransportEnd } from './transport.ts';

/** What a line with a `control` member holds. */
type ControlLine = { [Name in keyof ControlData]: { readonly control: Name } & ControlData[Name] }[keyof ControlData];

type Told = Exclude<keyof ControlData, 'close'>;
const TOLD: readonly Told[] = ['open', 'ready', 'gap', 'heartbeat', 'presence', 'expiring'];

/** Tells the observer of a control event by its name. */
function tellControl<Name extends Told>(
  observer: { readonly [Each in Told]?: (data: ControlData[Each]) => void },
  name: Name,
  data: ControlData[Name],
): void {
  // One that is not known is of a later version.
  if (TOLD.includes(name)) observer[name]?.(data);
}

export const openStream: OpenTransport = (topics, observer, { request, clock }) => {
  const abort = new AbortController();
  const { signal } = abort;
  let path: string | undefined;
  let lastHeard = clock();
  let done = false;

  function close(): void {
    done = true;
    abort.abort();
  }

  function end(how: TransportEnd): void {
    if (done) return;
    close();
    observer.ended(how);
  }

  function take(line: string): void {
    if (done) return;
    const value: Event | ControlLine = JSON.parse(line);
    if (!('control' in value)) {
      // Before its `$open` this is nobody's stream that we know.
      if (!path) throw new SyntaxError(line);
      observer.event(value);
      return;
    }
    if (value.control === 'close') {
      end({ trouble: { kind: 'closed', reason: value.reason }, retryAfter: value.retry || undefined });
      return;
    }
    if (value.control === 'open') path = `/v1/streams/${value.stream}`;
    tellControl(observer, value.control, value);
  }

  async function run(): Promise<void> {
    const answer = await request('POST', '/v1/streams', { body: { topics, format: 'ndjson' }, signal, stream: true });
    lastHeard = clock();
    if (answer.kind !== 'ok' || !(answer.body instanceof ReadableStream)) {
      end(endOf(answer, topics));
      return;
    }
    const decoder = new TextDecoder();
    let rest = '';
    let why: 'ended' | 'malformed' = 'ended';
    try {
      for await (const piece of piecesOf(answer.body)) {
        lastHeard = clock();
        const [first = '', ...others] = decoder.decode(piece, { stream: true }).split('\n');
        const lines = [rest + first, ...others];
        rest = lines.pop() ?? '';
        // A line that is neither an event nor a control event, or has no end: whoever speaks here is not a server of this protocol.
        why = 'malformed';
        if (rest.length > MAX_LINE_LENGTH) break;
        lines.forEach(take);
        why = 'ended';
      }
    } catch {
      // The connection broke, or what came made no sense. What was half received is no event; the next stream begins before it.
    }
    end({ trouble: { kind: 'lost', why } });
  }

  void run();

  return {
    kind: 'stream',
    lastHeard: () => lastHeard,
    async change(add, remove) {
      const answer = !path || done ? undefined : await request('PATCH', path, { body: { add, remove }, signal });
      if (answer?.kind === 'ok') return undefined;
      // Where the stream is not there any more, that says nothing of the topics.
      const isGone = !answer || (answer.kind === 'refused' && answer.status === 404);
      return isGone ? { trouble: { kind: 'lost', why: 'ended' } } : endOf(answer, add);
    },
    async renew() {
      return path !== undefined && (await request('PUT', `${path}/token`, { signal })).kind === 'ok';
    },
    close,
  };
};
