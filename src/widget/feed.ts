/** `<sluice-feed>`: the events of a topic as a list, newest first. */
import type { Event } from '../protocol/event.ts';
import { valueAt } from '../protocol/filter.ts';
import { textOf } from './display.ts';
import { make } from './element.ts';
import { ReadingElement } from './reading-element.ts';

/** What is in the list: an event, or the place where some are missing. */
type Entry = Event | 'gap';

const MAX_KEPT = 1000;
/** What stands below the list, by the name of the slot that replaces it. */
const NOTICES = { '': '', empty: 'Nothing yet', refused: 'Not available' };
const GAP = 'Some events are missing';

export class SluiceFeed extends ReadingElement {
  protected readonly history = 20;
  protected readonly newestOnly = false;
  readonly #list = make('ol', 'list');
  readonly #notice = make('slot', 'notice');
  readonly #log = make('div', 'log', this.#list, this.#notice);
  /** What is in the list, oldest first. */
  #entries: Entry[] = [];

  constructor() {
    super();
    this.#log.role = 'log';
    this.#log.tabIndex = 0;
    this.tree.append(this.#log);
  }

  protected override reset(): void {
    this.#entries = [];
    this.#list.replaceChildren();
    this.settle('');
  }

  protected override receive(entry: Entry): void {
    this.#entries.push(entry);
    this.#add(entry);
    if (this.#entries.length <= this.whole('max', 100, MAX_KEPT)) return;
    this.#entries.shift();
    (this.order === 'oldest' ? this.#list.firstChild : this.#list.lastChild)?.remove();
  }

  protected override miss(): void {
    if (this.#entries.length > 0) this.receive('gap');
  }

  /** History is not read out: only what comes after it is news. */
  protected override settle(notice: '' | 'empty' | 'refused'): void {
    this.#log.ariaLive = notice === '' ? 'off' : 'polite';
    this.#notice.name = notice;
    this.#notice.textContent = NOTICES[notice];
  }

  protected override redraw(): void {
    this.#log.ariaLabel = this.ariaLabel ?? this.topic;
    this.#list.replaceChildren();
    for (const entry of this.#entries) this.#add(entry);
  }

  #add(entry: Entry): void {
    this.#list[this.order === 'oldest' ? 'append' : 'prepend'](this.#item(entry));
  }

  #item(entry: Entry): HTMLElement {
    if (entry === 'gap') {
      const text = this.querySelector('[slot=gap]')?.textContent ?? GAP;
      return make('li', 'gap', make('i', 'text', text));
    }
    const template = this.querySelector('template');
    return template === null ? this.#plainItem(entry) : this.#templateItem(entry, template);
  }

  #plainItem({ time, type, data }: Event): HTMLElement {
    const { path, locale } = this;
    const when = make('time', 'time', textOf(time, 'time', locale));
    when.dateTime = time;
    const item = make('li', 'item', when);
    if (type !== 'message') item.append(make('b', 'type', type));
    item.append(make('span', 'data', textOf(at(data, path), this.format ?? '', locale)));
    return item;
  }

  /** The author's markup with the publisher's text: text alone, so that nothing of it can be markup or script. */
  #templateItem(event: Event, template: HTMLTemplateElement): HTMLElement {
    const item = make('li', 'item', document.importNode(template.content, true));
    for (const element of item.querySelectorAll<HTMLElement>('[data-text]:not(script, style)')) {
      const { text = '', format } = element.dataset;
      const value = at(event, text);
      element.textContent = textOf(value, format, this.locale);
      if ('dateTime' in element) element.dateTime = String(value);
    }
    return item;
  }
}

/** The value at a dotted path; the whole without one. */
export function at(data: unknown, path: string | null): unknown {
  return path ? valueAt(data, path.split('.')) : data;
}
