/** The app with the memory store, on whatever runtime runs this: Deno or Bun. `PORT` is in the environment. */
import { createRealtime } from '../../../src/index.ts';

interface Runtimes {
  readonly Deno?: {
    readonly env: { get(name: string): string | undefined };
    serve(options: object, answer: (request: Request) => Response | Promise<Response>): unknown;
  };
  readonly Bun?: { readonly env: Record<string, string>; serve(options: object): unknown };
}

const { Deno, Bun } = globalThis as Runtimes;
const app = createRealtime({ auth: { anonymous: { subscribe: ['**'], publish: ['**'] } } });
const answer = (request: Request) => app.fetch(request);
const hostname = '127.0.0.1';
if (Deno !== undefined) Deno.serve({ port: Number(Deno.env.get('PORT')), hostname }, answer);
else if (Bun !== undefined) Bun.serve({ port: Number(Bun.env['PORT']), hostname, fetch: answer, idleTimeout: 60 });
else throw new Error('this is neither Deno nor Bun');
