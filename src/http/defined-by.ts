/** What the options of an app say of its topics and collections, for the types of clients. */
import type { z } from 'zod';
import type { Defines, Definition, Nothing } from '../protocol/definition.ts';
import type { EventDefinitions } from './event-definitions.ts';

/** The options that say something of them. */
interface DefiningOptions {
  /** Whatever opens them: it carries their types. */
  readonly collections?: object;
  readonly events?: EventDefinitions;
}

/** @typeParam Options those of `createRealtime` or `createWorker`, with their exact types */
export interface DefinedBy<Options extends DefiningOptions> {
  readonly collections: NonNullable<Options['collections']> extends Defines<infer Of>
    ? Of extends { readonly collections: infer Known extends Definition['collections'] }
      ? Known
      : Nothing
    : Nothing;
  readonly events: {
    readonly [Pattern in keyof Options['events'] & string]: {
      readonly [Type in keyof NonNullable<Options['events']>[Pattern] & string]: {
        readonly input: z.input<NonNullable<Options['events']>[Pattern][Type]>;
        readonly output: z.output<NonNullable<Options['events']>[Pattern][Type]>;
      };
    };
  };
}
