import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Poll, PollGroup } from '../../src/cloudflare/poll-group.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A page that is answered when the test says so, or empty when the wait is over. */
function page() {
  const asked: number[] = [];
  let answers: ((response: Response) => void)[] = [];
  const poll = (waitMs: number): Poll => ({
    key: 'page',
    waitMs,
    ask(wait) {
      asked.push(wait);
      return new Promise((resolve) => {
        answers.push(resolve);
        if (wait === 0) resolve(new Response('empty'));
        else setTimeout(() => resolve(new Response('empty')), wait);
      });
    },
    isShared: ({ headers }) => headers.has('Shared'),
  });
  const answer = (body: string, init: ResponseInit = { headers: { Shared: '1' } }) => {
    for (const resolve of answers) resolve(new Response(body, init));
    answers = [];
  };
  return { asked, poll, answer };
}

const textsOf = (answers: readonly Promise<Response>[]) =>
  Promise.all(answers.map(async (answer) => (await answer).text()));

describe('polls of one page', () => {
  it('are one question, whose answer is given to all', async () => {
    const { asked, poll, answer } = page();
    const group = new PollGroup();
    const answers = [20_000, 30_000, 40_000].map((wait) => group.answer(poll(wait)));
    await vi.advanceTimersByTimeAsync(5000);
    expect(asked).toEqual([20_000]);
    answer('news');
    expect(await textsOf(answers)).toEqual(['news', 'news', 'news']);
  });

  it('end each at their own time, however long another waits', async () => {
    const { asked, poll } = page();
    const group = new PollGroup();
    const ends: number[] = [];
    const begun = Date.now();
    for (const wait of [20_000, 3000, 25_000])
      void group.answer(poll(wait)).then(() => void ends.push(Date.now() - begun));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(ends).toEqual([3000, 20_000, 25_000]);
    // The one that was left asks for the rest of its time only.
    expect(asked).toEqual([20_000, 0, 5000]);
  });

  it('are asked again when the one that asked is gone without a word', async () => {
    const { asked, poll, answer } = page();
    const group = new PollGroup();
    const gone: Poll = { ...poll(60_000), ask: () => new Promise(() => {}) };
    const silence = vi.spyOn(globalThis, 'setInterval').mockReturnValueOnce(0 as never);
    void group.answer(gone);
    silence.mockRestore();
    const answers = [group.answer(poll(20_000)), group.answer(poll(20_000))];
    await vi.advanceTimersByTimeAsync(4000);
    expect(asked).toHaveLength(1);
    answer('news');
    expect(await textsOf(answers)).toEqual(['news', 'news']);
  });

  it('ask each for themselves, side by side, when what one is answered is not for others', async () => {
    const { asked, poll, answer } = page();
    const group = new PollGroup();
    const answers = [1, 2, 3].map(() => group.answer(poll(20_000)));
    await vi.advanceTimersByTimeAsync(1000);
    answer('no', { status: 401 });
    await vi.advanceTimersByTimeAsync(0);
    expect(asked).toEqual([20_000, 19_000, 19_000]);
    answer('mine', { status: 401 });
    expect(await textsOf(answers)).toEqual(['no', 'mine', 'mine']);
  });
});
