/** A reader that does not come back: its line holds, or the test has seen that it does not. */
import { type Block, openSse, type SseConnection } from '../support/sse-client.ts';

export interface LineReader {
  readonly connection: SseConnection;
  readonly ended: () => boolean;
  readonly isReady: () => boolean;
  /** The events so far. */
  readonly events: () => any[];
  readonly controls: (name: string) => readonly Block[];
}

export function openReader(port: number, path: string): LineReader {
  const blocks: Block[] = [];
  let ended = false;
  const connection = openSse({
    port,
    path,
    onBlock: (block) => blocks.push(block),
    onEnd: () => {
      ended = true;
    },
  });
  return {
    connection,
    ended: () => ended,
    isReady: () => blocks.some(({ event }) => event === '$ready'),
    events: () => blocks.filter(({ event }) => event === undefined).map(({ data }) => JSON.parse(data)),
    controls: (name: string) => blocks.filter(({ event }) => event === name),
  };
}
