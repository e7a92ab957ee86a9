/** The module of the Workers runtime, as far as it is used here (Cloudflare Workers, "Durable Object Base Class"). */
declare module 'cloudflare:workers' {
  /** The base of an object whose public methods may be called over RPC. */
  export abstract class DurableObject<Environment = unknown> {
    protected readonly ctx: import('./platform.ts').ObjectState;
    protected readonly env: Environment;
    constructor(ctx: import('./platform.ts').ObjectState, env: Environment);
  }
}
