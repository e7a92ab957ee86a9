/**
 * What an app's code says of its topics and collections, as types alone: the server's definitions carry it, and the client reads it, so
 * that neither writes it down twice. Nothing of it exists at run time.
 */
import type { Event } from './event.ts';

/** The types of a collection's records in wire form. */
export interface RecordTypes {
  readonly record: object;
  readonly insert: object;
  readonly replace: object;
  readonly patch: object;
}

/** The data of one type of events: as they may be published, and as they are read. */
interface EventData {
  readonly input: unknown;
  readonly output: unknown;
}

export interface Definition {
  /** By name. */
  readonly collections: { readonly [name: string]: RecordTypes };
  /** The data of events, by topic pattern (protocol section 4.2) and type. */
  readonly events: { readonly [pattern: string]: { readonly [type: string]: EventData } };
}

declare const definition: unique symbol;

/** A value that carries a definition in its type. */
export interface Defines<Of extends Partial<Definition>> {
  readonly [definition]?: Of;
}

/** Knows nothing. */
export type Nothing = Record<never, never>;

/** The definition that a value (`typeof app`) carries; one that knows nothing where it carries none. */
export type DefinitionOf<App> =
  App extends Defines<infer Of>
    ? {
        readonly collections: Of extends { readonly collections: infer Known extends Definition['collections'] }
          ? Known
          : Nothing;
        readonly events: Of extends { readonly events: infer Known extends Definition['events'] } ? Known : Nothing;
      }
    : { readonly collections: Nothing; readonly events: Nothing };

/** The topics that a pattern stands for. */
type TopicIn<Pattern extends string> = Pattern extends `${infer First}:${infer Rest}`
  ? `${TopicIn<First>}:${TopicIn<Rest>}`
  : Pattern extends '*' | '**'
    ? string
    : Pattern;

/** The data of events by their type, of the patterns that a topic belongs to; `never` where it belongs to none. */
type DataByType<Of extends Definition, Topic extends string> = {
  [Pattern in keyof Of['events'] & string]: Topic extends TopicIn<Pattern> ? Of['events'][Pattern] : never;
}[keyof Of['events'] & string];

/** Of several patterns, each for itself. */
type EventsByType<Types> = Types extends unknown
  ? {
      [Type in keyof Types & string]: Omit<Event<DataIn<Types[Type]>>, 'type'> & { readonly type: Type };
    }[keyof Types & string]
  : never;

type DataIn<Data> = Data extends { readonly output: infer Output } ? Output : never;

/** The events of a topic: told apart by their `type`. Of a collection, the changes of its records. */
export type EventOf<Of extends Definition, Topic extends string> = Topic extends keyof Of['collections']
  ? ChangeOf<Of['collections'][Topic]['record']>
  : [DataByType<Of, Topic>] extends [never]
    ? Event
    : EventsByType<DataByType<Of, Topic>>;

type InputsByType<Types> = Types extends unknown
  ? {
      [Type in keyof Types & string]: {
        readonly type: Type;
        readonly data: Types[Type] extends { readonly input: infer Input } ? Input : never;
        readonly key?: string;
        readonly version?: number;
      };
    }[keyof Types & string]
  : never;

/** What may be published to a topic. */
export type InputOf<Of extends Definition, Topic extends string> = [DataByType<Of, Topic>] extends [never]
  ? { readonly type?: string; readonly data: unknown; readonly key?: string; readonly version?: number }
  : InputsByType<DataByType<Of, Topic>>;

type ChangesByType<Types> = {
  [Type in keyof Types & string]: Omit<Event<Types[Type]>, 'type'> & { readonly type: Type };
}[keyof Types & string];

/** A change of a record (protocol section 6.6). */
type ChangeOf<Record> = ChangesByType<{
  readonly insert: { readonly new: Record; readonly version: number; readonly omitted?: readonly string[] };
  readonly update: {
    readonly new: Record;
    readonly old?: Partial<Record>;
    readonly version: number;
    readonly changed?: readonly (keyof Record & string)[];
    readonly omitted?: readonly string[];
  };
  readonly delete: { readonly old?: Record; readonly version: number; readonly omitted?: readonly string[] };
}>;
