/** `<sluice-status>`: how the lines to a server are, as a dot and a word. */
import { make, SluiceElement } from './element.ts';
import type { Status } from './line-state.ts';
import { linesOfPage } from './lines.ts';

/** Each status in words, from the best to the worst. */
const TEXTS: readonly (readonly [Status, string])[] = [
  ['connected', 'Live'],
  ['polling', 'Live, by polling'],
  ['connecting', 'Connecting'],
  ['reconnecting', 'Reconnecting'],
  ['offline', 'Offline'],
  ['refused', 'Not allowed'],
];

export class SluiceStatus extends SluiceElement {
  /** Its name is the state, so that a child with this `slot` takes the place of the word. */
  readonly #text = document.createElement('slot');
  #unwatch: (() => void) | undefined;

  constructor() {
    super();
    const words = make('span', 'text', this.#text);
    const line = make('span', 'status', make('u', 'dot'), words);
    line.role = 'status';
    this.tree.append(line);
  }

  protected override update(): void {
    this.#unwatch?.();
    this.#unwatch = this.isConnected ? linesOfPage().watch(() => this.#draw()) : undefined;
    this.#draw();
  }

  #draw(): void {
    const statuses = linesOfPage().statusesOf(this.server);
    const [status, text] = TEXTS.findLast(([each]) => statuses.includes(each)) ?? ['connecting', 'Connecting'];
    this.#text.name = status;
    if (this.#text.textContent !== text) this.#text.textContent = text;
    this.show(status);
  }
}
