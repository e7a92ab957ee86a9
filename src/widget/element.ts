/** What all elements of the widget share: attributes that are properties too, a shadow tree, and one update for many changes. */
import { styleSheet } from './style.ts';

/** Where there is no page (a server that renders one), the module can still be imported. */
const Base = globalThis.HTMLElement ?? Object;

/** A property for each attribute; `null` takes it away. */
const ATTRIBUTES = [
  'src',
  'ticket',
  'topic',
  'types',
  'filter',
  'key',
  'last',
  'max',
  'order',
  'path',
  'format',
] as const;

export abstract class SluiceElement extends Base {
  static readonly observedAttributes: readonly string[] = ATTRIBUTES;

  declare src: string | null;
  declare ticket: string | null;
  declare topic: string | null;
  declare types: string | null;
  declare filter: string | null;
  declare key: string | null;
  declare last: string | null;
  declare max: string | null;
  declare order: string | null;
  declare path: string | null;
  declare format: string | null;

  protected readonly tree = this.attachShadow({ mode: 'open' });
  #isDirty = false;

  static {
    for (const name of ATTRIBUTES)
      Object.defineProperty(SluiceElement.prototype, name, {
        configurable: true,
        get(this: SluiceElement) {
          return this.getAttribute(name);
        },
        set(this: SluiceElement, value: unknown) {
          if (value === undefined || value === null) this.removeAttribute(name);
          else this.setAttribute(name, String(value));
        },
      });
  }

  constructor() {
    super();
    this.tree.adoptedStyleSheets = [styleSheet()];
  }

  connectedCallback(): void {
    // What was set before the script came hides the properties of the class.
    for (const name of ATTRIBUTES)
      if (Object.hasOwn(this, name)) {
        const value: unknown = Reflect.get(this, name);
        Reflect.deleteProperty(this, name);
        Reflect.set(this, name, value);
      }
    this.#changed();
  }

  disconnectedCallback(): void {
    this.#changed();
  }

  attributeChangedCallback(): void {
    this.#changed();
  }

  /** Some attributes have changed, or the element has come, gone or moved. Called once for what changes together. */
  protected abstract update(): void;

  #changed(): void {
    if (this.#isDirty) return;
    this.#isDirty = true;
    queueMicrotask(() => {
      this.#isDirty = false;
      this.update();
    });
  }

  /** The URL of the server, with a slash at the end: `src`, or where the script came from. */
  protected get server(): string {
    return new URL(this.src ?? homeOf(import.meta.url), document.baseURI).href.replace(/\/?$/, '/');
  }

  /** The language of the text around. */
  protected get locale(): string | undefined {
    return this.closest('[lang]')?.getAttribute('lang') || undefined;
  }

  /** A whole number of an attribute, within bounds. */
  protected whole(name: string, normal: number, most: number): number {
    const given = Number.parseInt(this.getAttribute(name) ?? '', 10);
    return given >= 0 ? Math.min(given, most) : normal;
  }

  /** Sets the attribute `state`, for styles, and says so by an event. */
  protected show(state: string, code?: string): void {
    if (this.getAttribute('state') === state) return;
    this.setAttribute('state', state);
    this.say('sluice-state', { state, code });
  }

  /** Dispatches an event that leaves every tree it is in. @returns whether nobody has prevented what comes by default */
  protected say(name: string, detail: unknown): boolean {
    return this.dispatchEvent(new CustomEvent(name, { bubbles: true, composed: true, cancelable: true, detail }));
  }
}

/** The server that a script came from: the folder of its `widget.js`, or where it is part of something else, the origin. */
function homeOf(script: string): string {
  return new URL(/\/widget\.js\b/.test(script) ? '.' : '/', script).href;
}

/** Makes an element of a shadow tree. Text only ever becomes text. */
export function make<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  part: string,
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  element.setAttribute('part', part);
  element.append(...children);
  return element;
}
