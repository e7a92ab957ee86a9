import { conformanceOf } from './server.ts';

conformanceOf({ name: 'memory', database: async () => ({ DATABASE_URL: 'memory:' }), durable: false });
