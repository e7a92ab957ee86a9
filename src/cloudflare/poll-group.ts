/**
 * Polls of one page that wait in an isolate at the same time: one of them asks, and the others are given what it is answered.
 *
 * What is handed from one request to another is text and no more: sockets, timers and answers belong to the request that has made them. Nor does
 * a request hear of it when another is gone; so who asks shows again and again that it is there, and when it does not, another one asks.
 */

/** An answer as it can be handed on. */
export interface SharedAnswer {
  readonly body: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/** A page that is waited for. */
export interface Poll {
  /** Equal for polls that would be given the same. */
  readonly key: string;
  /** How long it may wait, in ms. */
  readonly waitMs: number;
  /** Asks for the page. @param waitMs how long it may be waited for; 0 for what is there */
  readonly ask: (waitMs: number) => Promise<Response>;
  /** Whether an answer may be given to others. */
  readonly isShared: (response: Response) => boolean;
}

/** What came of a poll that others wait for, too: an answer for all; a page that was waited for in vain; or what each has to ask for itself. */
type Outcome = SharedAnswer | 'nothing' | 'not-shared';

/** How often who asks shows that it is there, and after how long it must be gone, in ms. */
const SHOW_MS = 1000;
const GONE_MS = 3000;
/** Pages that are waited for together, and who waits for one of them. Beyond, each asks for itself. */
const MOST_PAGES = 1000;
const MOST_FOLLOWERS = 10_000;

interface Leader {
  readonly followers: Set<(outcome: Outcome) => void>;
  /** When it showed that it is there, ms since 1970. */
  seen: number;
}

export class PollGroup {
  readonly #leaders = new Map<string, Leader>();
  readonly #clock: () => number;

  /** @param clock ms since 1970 */
  constructor(clock: () => number = Date.now) {
    this.#clock = clock;
  }

  /** Answers a poll, by what another is answered if there is one. */
  async answer(poll: Poll): Promise<Response> {
    const until = this.#clock() + poll.waitMs;
    for (;;) {
      const left = Math.max(0, until - this.#clock());
      const leader = this.#leaders.get(poll.key);
      if (left === 0) return poll.ask(0);
      if (leader === undefined || this.#isGone(leader)) return this.#lead(poll, left);
      if (leader.followers.size >= MOST_FOLLOWERS) return poll.ask(left);
      const outcome = await this.#follow(leader, left);
      if (outcome === 'not-shared') return poll.ask(Math.max(0, until - this.#clock()));
      if (outcome !== 'nothing')
        return new Response(outcome.body, { headers: outcome.headers.map(([...pair]) => pair) });
    }
  }

  async #lead(poll: Poll, waitMs: number): Promise<Response> {
    if (this.#leaders.size >= MOST_PAGES) return poll.ask(waitMs);
    const leader: Leader = { followers: new Set(), seen: this.#clock() };
    this.#leaders.set(poll.key, leader);
    const timer = setInterval(() => {
      leader.seen = this.#clock();
    }, SHOW_MS);
    let outcome: Outcome = 'not-shared';
    try {
      const response = await poll.ask(waitMs);
      if (poll.isShared(response)) outcome = { body: await response.clone().text(), headers: [...response.headers] };
      else if (response.ok) outcome = 'nothing';
      return response;
    } finally {
      clearInterval(timer);
      if (this.#leaders.get(poll.key) === leader) this.#leaders.delete(poll.key);
      for (const follower of leader.followers) follower(outcome);
    }
  }

  /** @returns `nothing` also when the one that asked is gone, or it is time to ask oneself */
  async #follow(leader: Leader, waitMs: number): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    const timer = setInterval(() => this.#isGone(leader) && resolve('nothing'), SHOW_MS);
    const late = setTimeout(() => resolve('nothing'), waitMs);
    leader.followers.add(resolve);
    try {
      return await promise;
    } finally {
      clearInterval(timer);
      clearTimeout(late);
      leader.followers.delete(resolve);
    }
  }

  #isGone({ seen }: Leader): boolean {
    return this.#clock() - seen >= GONE_MS;
  }
}
