/** Reading by another tab's connection. */
import type { OpenTransport } from '../connection/transport.ts';
import type { TabLine } from './tab-words.ts';

/** @param tab the name of this tab's lock, by which the other learns that it is gone */
export function tabTransport(line: TabLine, tab: string): OpenTransport {
  return (topics, observer, { clock }) => {
    const id = crypto.randomUUID();
    let lastHeard = clock();
    const stopListening = line.listen((word) => {
      if (!('id' in word) || word.id !== id) return;
      lastHeard = clock();
      switch (word.kind) {
        case 'opened':
          observer.opened();
          break;
        case 'event':
          observer.event(word.event);
          break;
        case 'gap':
          observer.gap(word.gap);
          break;
        case 'position':
          observer.position(word.cursor, word.live);
          break;
        case 'presence':
          observer.presence(word.change);
          break;
        case 'heartbeat':
          observer.heartbeat(word.sent);
          break;
        case 'ended':
          close();
          observer.ended(word.end);
      }
    });

    function close(): void {
      stopListening();
      line.send({ kind: 'end', id });
    }

    line.send({ kind: 'read', id, tab, add: topics, remove: [] });
    return {
      kind: 'tab',
      lastHeard: () => lastHeard,
      async change(add, remove) {
        line.send({ kind: 'read', id, tab, add, remove });
        return undefined;
      },
      renew: async () => true,
      close,
    };
  };
}
