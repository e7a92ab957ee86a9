/**
 * Polls of one page that wait in an isolate at the same time: one of them asks, and the others are given what it is answered.
 *
 * What is handed from one request to another is text and no more: sockets and answers belong to the request that has made them. Nor does a
 * request hear of it when another is gone; so who asks shows again and again that it is there, and when it does not, another one asks.
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
  /** Asks for the page. @param waits whether the answer may be waited for */
  readonly ask: (waits: boolean) => Promise<Response>;
  /** Whether an answer may be given to others. */
  readonly isShared: (response: Response) => boolean;
}

/** How often who asks shows that it is there, and after how long it must be gone, in ms. */
const SHOW_MS = 1000;
const GONE_MS = 3000;
/** Pages that are waited for together, and who waits for one of them. Beyond, each asks for itself. */
const MOST_PAGES = 1000;
const MOST_FOLLOWERS = 10_000;

interface Leader {
  readonly followers: Set<(answer: SharedAnswer | undefined) => void>;
  /** When it showed that it is there, ms since 1970. */
  seen: number;
}

export class PollGroup {
  readonly #leaders = new Map<string, Leader>();

  /** Answers a poll, by what another is answered if there is one. */
  async answer(poll: Poll): Promise<Response> {
    const until = Date.now() + poll.waitMs;
    for (;;) {
      const leader = this.#leaders.get(poll.key);
      const isThere = leader !== undefined && Date.now() - leader.seen < GONE_MS;
      const isLate = Date.now() >= until;
      if (isLate) return poll.ask(false);
      if (isThere && leader.followers.size >= MOST_FOLLOWERS) return poll.ask(true);
      if (!isThere) return this.#lead(poll);
      const answer = await follow(leader, until);
      if (answer !== undefined) return new Response(answer.body, { headers: answer.headers.map(([...pair]) => pair) });
    }
  }

  async #lead(poll: Poll): Promise<Response> {
    if (this.#leaders.size >= MOST_PAGES) return poll.ask(true);
    const leader: Leader = { followers: new Set(), seen: Date.now() };
    this.#leaders.set(poll.key, leader);
    const timer = setInterval(() => {
      leader.seen = Date.now();
    }, SHOW_MS);
    let answer: SharedAnswer | undefined;
    try {
      const response = await poll.ask(true);
      if (!poll.isShared(response)) return response;
      answer = { body: await response.clone().text(), headers: [...response.headers] };
      return response;
    } finally {
      clearInterval(timer);
      if (this.#leaders.get(poll.key) === leader) this.#leaders.delete(poll.key);
      for (const follower of leader.followers) follower(answer);
    }
  }
}

/** @returns `undefined` when the one who asked had nothing to share, or is gone, or it is time to ask oneself */
function follow(leader: Leader, until: number): Promise<SharedAnswer | undefined> {
  return new Promise((resolve) => {
    const done = (answer: SharedAnswer | undefined) => {
      clearInterval(timer);
      clearTimeout(late);
      leader.followers.delete(done);
      resolve(answer);
    };
    const timer = setInterval(() => {
      if (Date.now() - leader.seen >= GONE_MS) done(undefined);
    }, SHOW_MS);
    const late = setTimeout(() => done(undefined), until - Date.now());
    leader.followers.add(done);
  });
}
