/** The round trip to the server, measured again and again. */
import type { Request } from './request.ts';

const EVERY_MS = 30_000;
const TIMEOUT_MS = 10_000;

export interface RoundTrip {
  /** Measures now and from now on. */
  start(): void;
  stop(): void;
}

export interface RoundTripOptions {
  readonly request: Request;
  /** ms; only differences count */
  readonly clock: () => number;
  /** Whether a measurement is of use now: nobody looks at a hidden page. */
  readonly due: () => boolean;
  /** @param ms `undefined` when there was no answer */
  readonly onMeasured: (ms: number | undefined) => void;
}

export function createRoundTrip({ request, clock, due, onMeasured }: RoundTripOptions): RoundTrip {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let round = 0;

  async function measure(of: number): Promise<void> {
    if (due()) {
      const sent = clock();
      const answer = await request('GET', '/healthz', { timeout: TIMEOUT_MS });
      if (of !== round) return;
      onMeasured(answer.kind === 'ok' ? clock() - sent : undefined);
    }
    timer = setTimeout(() => void measure(of), EVERY_MS);
  }

  function stop(): void {
    round += 1;
    clearTimeout(timer);
  }

  return {
    start() {
      stop();
      void measure(round);
    },
    stop,
  };
}
