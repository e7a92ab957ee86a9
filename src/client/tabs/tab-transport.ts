/** Reading by another tab's connection. */

import type { OpenTransport, TransportObserver } from '../connection/transport.ts';
import { createId } from '../create-id.ts';
import type { TabLine, Told, Wish } from './tab-words.ts';

function tell<Name extends keyof TransportObserver>(
  observer: { readonly [Each in keyof TransportObserver]: (data: Parameters<TransportObserver[Each]>[0]) => void },
  { what, data }: Told<Name>,
): void {
  observer[what](data);
}

/**
 * @param tab the name of this tab's lock, by which the other learns that it is gone
 * @param held resolves when this tab has that lock: until then the other would be given it, and take this tab for gone
 */
export function tabTransport(line: TabLine, tab: string, held: Promise<void>): OpenTransport {
  return (topics, observer, { clock }) => {
    const id = createId();
    let lastHeard = clock();
    let closed = false;
    const stopListening = line.listen((word) => {
      if (word.kind !== 'tell' || word.id !== id) return;
      lastHeard = clock();
      if (word.what === 'ended') close();
      tell(observer, word);
    });

    function send(word: Wish): void {
      void held.then(() => closed || line.send(word));
    }

    function close(): void {
      if (closed) return;
      closed = true;
      stopListening();
      line.send({ kind: 'end', id });
    }

    send({ kind: 'read', id, tab, topics });
    return {
      kind: 'tab',
      lastHeard: () => lastHeard,
      async change(add, remove) {
        send({ kind: 'change', id, add, remove });
        return undefined;
      },
      renew: async () => true,
      close,
    };
  };
}
