import { describe } from 'vitest';
import { cuts } from './cuts.ts';
import { startWireServer } from './wire-server.ts';

describe('commands over a line that is cut', () => {
  cuts(startWireServer);
});
