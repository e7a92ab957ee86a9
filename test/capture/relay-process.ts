/** A relay in a process of its own, to be killed: `node relay-process.ts <database> <capture>…`. */
import { openStore, relayOn } from './relay-harness.ts';

const [url = '', ...captures] = process.argv.slice(2);
relayOn(await openStore(url), captures.map(Number)).start();
