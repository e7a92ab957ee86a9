import { describeBroker } from './contract.ts';
import { System } from './system.ts';
import { PLAIN } from './test-log.ts';

describeBroker('a log that answers at once', () => new System());

describeBroker('a log that takes its time', () => new System({ awkwardness: { ...PLAIN, delayMs: 8 } }));

describeBroker(
  'a log that is late, fails and gives short pages',
  () => new System({ awkwardness: { delayMs: 5, failures: 0.05, shortPages: true } }),
);
