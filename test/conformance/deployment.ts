/** The suite against a deployment that is named in the environment; `run.ts` starts it. */
import { conformance } from './suite.ts';

const env = process.env;
const url = env['SLUICE_URL'] ?? '';
const secret = env['SLUICE_SECRET'] ?? '';
const { SLUICE_AUDIENCE: audience, SLUICE_ISSUER: issuer, SLUICE_ORIGIN: origin } = env;

conformance({
  name: url,
  url: () => url,
  secret: () => secret,
  features: {
    ...(audience && { audience }),
    ...(issuer && { issuer }),
    ...(origin && { origin }),
    fast: env['SLUICE_FAST'] === '1',
    ...(env['SLUICE_EDGE'] === '1' && { edge: true, goneMs: 40_000 }),
  },
});
