/** `<sluice-value>`: the newest value of a topic, or of one key of it, as text. */
import type { Event } from '../protocol/event.ts';
import { textOf } from './display.ts';
import { make } from './element.ts';
import { at } from './feed.ts';
import { ReadingElement } from './reading-element.ts';

/** Among how many of the newest events the one of a key, or of a type, is looked for. */
const SEARCHED = 100;
/** How often a time that is told by how long ago it was is told anew, in ms. */
const TICK_MS = 1000;

export class SluiceValue extends ReadingElement {
  protected readonly newestOnly = true;
  readonly #value = make('span', 'value');
  /** The newest event's data; `undefined` before any. */
  #data: unknown;
  #tick: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    // What the author put between the tags stands until there is a value.
    this.tree.append(this.#value, document.createElement('slot'));
  }

  protected override get history(): number {
    return this.key === null && this.types === null ? 1 : SEARCHED;
  }

  protected override reset(): void {
    this.#data = undefined;
    this.redraw();
  }

  protected override receive({ data }: Event): void {
    // An event that has no such value says nothing of it.
    if (at(data, this.path) === undefined) return;
    this.#data = data;
    this.redraw();
  }

  /** The newest event is read again, and takes the place of what is shown. */
  protected override miss(): void {}

  protected override settle(): void {}

  protected override redraw(): void {
    clearTimeout(this.#tick);
    const value = at(this.#data, this.path);
    const format = this.format ?? '';
    const text = value === undefined ? '' : textOf(value, format, this.locale);
    if (this.#value.textContent !== text) this.#value.textContent = text;
    if (format === 'relative' && this.isConnected && value !== undefined)
      this.#tick = setTimeout(() => this.redraw(), TICK_MS);
  }
}
