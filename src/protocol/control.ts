/** Control events: what the server says about the stream itself (protocol section 2). */
import { encodeSse } from './sse.ts';

/** Why history could not be delivered. */
export type GapReason = 'expired' | 'unknown-epoch' | 'ahead' | 'lagged';

/** Why the server ended a stream on purpose. */
export type CloseReason = 'expired' | 'revoked' | 'draining' | 'slow' | 'limit';

/** What a gap tells: history between `requested` and `oldest` is gone; delivery goes on from `oldest`. */
export interface Gap {
  readonly topic: string;
  /** The cursor that the reader came with. */
  readonly requested: string;
  /** The position just before the oldest event that can still be delivered: reading after it gives all there is. */
  readonly oldest: string;
  readonly latest: string;
  readonly reason: GapReason;
}

/** Somebody who is at a topic. `since` is RFC 3339: when they joined. */
export interface PresentMember {
  readonly member: string;
  readonly state: unknown;
  readonly since: string;
}

/** What is told of presence (protocol section 5). */
export type PresenceData =
  /** All members there are. Of a sync that comes in parts, all but the last have `more`. */
  | {
      readonly topic: string;
      readonly change: 'sync';
      readonly members: readonly PresentMember[];
      readonly more?: true;
    }
  | ({ readonly topic: string; readonly change: 'join' } & PresentMember)
  /** Of a leave, `state` is the last one. */
  | {
      readonly topic: string;
      readonly change: 'update' | 'leave';
      readonly member: string;
      readonly state: unknown;
    };

/** The data of each control event, by its name without the `$`. */
export interface ControlData {
  /** `heartbeat` is the interval in seconds. */
  readonly open: { readonly stream: string; readonly heartbeat: number; readonly topics: readonly string[] };
  readonly ready: { readonly cursor: string };
  readonly gap: Gap;
  readonly heartbeat: { readonly time: string; readonly cursor: string };
  readonly presence: PresenceData;
  /** `at` is RFC 3339. */
  readonly expiring: { readonly at: string };
  /** `retry` is in milliseconds. */
  readonly close: { readonly reason: CloseReason; readonly retry: number };
}

export type ControlName = keyof ControlData;

/** One control event; `cursor` moves the reader's position (it becomes the block's `id`). */
export type Control = {
  [Name in ControlName]: {
    readonly name: Name;
    readonly data: ControlData[Name];
    readonly cursor?: string | undefined;
  };
}[ControlName];

/** Control events that go to many readers together, and their bytes by representation (its index), kept by whoever makes them. */
export class ControlBatch {
  readonly controls: readonly Control[];
  readonly encoded: (Uint8Array | undefined)[] = [];

  constructor(controls: readonly Control[]) {
    this.controls = controls;
  }

  /** The same, for one reader alone: its bytes are not kept here. */
  alone(): ControlBatch {
    return new ControlBatch(this.controls);
  }
}

/** A control event as an SSE block. A `close` also carries `retry:`, so that a native EventSource obeys it. */
export function encodeControlSse(control: Control): string {
  return encodeSse({
    event: `$${control.name}`,
    id: control.cursor,
    retry: control.name === 'close' ? control.data.retry : undefined,
    data: JSON.stringify(control.data),
  });
}

/** A control event as a line of NDJSON, without the line break: `{"control":"gap",…}`. */
export function encodeControlJson(control: Control): string {
  return JSON.stringify({ control: control.name, ...control.data });
}
