/**
 * Reads a stream of either format, by the letter of the formats and with nothing of ours: the suite must not trust the
 * product's own decoder to find the faults of its encoder.
 */

/** How long a test waits for what must come, in milliseconds. */
export const PATIENCE = 10_000;

/** One SSE block or one NDJSON line. */
export interface Frame {
  /** The control's name without `$`, or `undefined` for an event. */
  readonly control: string | undefined;
  /** The JSON that it carries. */
  readonly data: any;
  /** The names of the block's fields in order; none for NDJSON. */
  readonly fields: readonly string[];
  /** The `event:` and `id:` fields as they stand there. */
  readonly name: string | undefined;
  readonly id: string | undefined;
  readonly retry: string | undefined;
  readonly raw: string;
}

/** Reads one SSE block (without its blank line); `undefined` for one that is only comments. */
export function readBlock(raw: string): Frame | undefined {
  const fields: string[] = [];
  const values = new Map<string, string>();
  const data: string[] = [];
  for (const line of raw.split('\n')) {
    if (line.startsWith(':')) continue;
    const colon = line.indexOf(':');
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    fields.push(name);
    if (name === 'data') data.push(value);
    else values.set(name, value);
  }
  if (fields.length === 0) return undefined;
  const name = values.get('event');
  return {
    control: name?.startsWith('$') ? name.slice(1) : undefined,
    data: JSON.parse(data.join('\n')),
    fields,
    name,
    id: values.get('id'),
    retry: values.get('retry'),
    raw,
  };
}

/** Reads one line of NDJSON. */
export function readLine(raw: string): Frame {
  const data = JSON.parse(raw);
  const control = typeof data.control === 'string' ? data.control : undefined;
  return { control, data, fields: [], name: undefined, id: undefined, retry: undefined, raw };
}

/** Cuts text that comes in pieces into frames. */
export function createFramer(format: 'sse' | 'ndjson'): (piece: string) => Frame[] {
  let rest = '';
  return (piece) => {
    rest += piece;
    if (format === 'ndjson') {
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      return lines.filter((line) => line.trim() !== '').map(readLine);
    }
    // A CR at the end may be half of a line break: it waits for the next piece.
    const held = rest.endsWith('\r') ? '\r' : '';
    const blocks = rest
      .slice(0, rest.length - held.length)
      .replace(/\r\n?/g, '\n')
      .split('\n\n');
    rest = (blocks.pop() ?? '') + held;
    return blocks.map((block) => readBlock(block.replace(/^\n+/, ''))).filter((frame) => frame !== undefined);
  };
}

/** An open stream: frames are taken from it in order, each once. */
export class Stream {
  readonly response: Response;
  /** All frames so far, taken or not. */
  readonly frames: Frame[] = [];
  /** When the stream ended, ms since 1970. */
  endedAt: number | undefined;
  #taken = 0;
  #wake: () => void = () => {};
  readonly #abort: AbortController;

  constructor(response: Response, abort: AbortController) {
    this.response = response;
    this.#abort = abort;
  }

  /** Begins to read. Until then nothing is taken from the socket but what its buffers hold. */
  start(): this {
    void this.#pump();
    return this;
  }

  get format(): 'sse' | 'ndjson' {
    return this.response.headers.get('content-type')?.startsWith('text/event-stream') ? 'sse' : 'ndjson';
  }

  /** The next frame for which `match` holds; those before it are passed over. */
  async take(match: (frame: Frame) => boolean, what = 'a frame', ms = PATIENCE): Promise<Frame> {
    const deadline = Date.now() + ms;
    for (;;) {
      while (this.#taken < this.frames.length) {
        const frame = this.frames[this.#taken++];
        if (frame !== undefined && match(frame)) return frame;
      }
      const left = deadline - Date.now();
      if (this.endedAt !== undefined || left <= 0) {
        const seen = this.frames.slice(-5).map((frame) => frame.raw.slice(0, 300));
        throw new Error(`${what} did not come within ${ms} ms; the last frames are:\n${seen.join('\n--\n')}`);
      }
      await this.#change(left);
    }
  }

  control(name: string, ms = PATIENCE): Promise<Frame> {
    return this.take((frame) => frame.control === name, `$${name}`, ms);
  }

  /** The next `count` events as JSON; control events between them are passed over. */
  async events(count: number, ms = PATIENCE): Promise<any[]> {
    const events: any[] = [];
    while (events.length < count) {
      const what = `event ${events.length + 1} of ${count}`;
      events.push((await this.take((frame) => frame.control === undefined, what, ms)).data);
    }
    return events;
  }

  /** Everything up to the event whose data is `mark`, that one left out, as JSON. */
  async eventsUntil(mark: unknown, ms = PATIENCE): Promise<any[]> {
    const events: any[] = [];
    for (;;) {
      const { data } = await this.take((frame) => frame.control === undefined, `the mark ${String(mark)}`, ms);
      if (data.data === mark) return events;
      events.push(data);
    }
  }

  /** The id of `$open`. */
  async name(): Promise<string> {
    return (await this.control('open')).data.stream;
  }

  /** Waits until the server has ended the stream; answers when that was. */
  async ended(ms = PATIENCE): Promise<number> {
    const deadline = Date.now() + ms;
    while (this.endedAt === undefined) {
      if (Date.now() > deadline) throw new Error(`the stream is still open after ${ms} ms`);
      await this.#change(deadline - Date.now());
    }
    return this.endedAt;
  }

  /** Cuts the line from this side. */
  close(): void {
    this.#abort.abort();
  }

  #change(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms + 1);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #pump(): Promise<void> {
    const frame = createFramer(this.format);
    const decoder = new TextDecoder('utf-8', { fatal: true });
    try {
      for await (const bytes of this.response.body ?? []) {
        this.frames.push(...frame(decoder.decode(bytes, { stream: true })));
        this.#wake();
      }
    } catch (error) {
      // A cut line ends a stream like any other end; what is not of the format fails the test that waits for it.
      if (error instanceof SyntaxError) this.frames.push({ ...readLine('{}'), control: 'unreadable', raw: `${error}` });
    }
    this.endedAt = Date.now();
    this.#wake();
  }
}
