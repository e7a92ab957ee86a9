/**
 * A document in Node, for React to render into. Only what React needs of it is made global: requests, streams and timers stay Node's, as
 * the server that these tests run over needs them.
 */
import { Window } from 'happy-dom';

const window = new Window({ url: 'http://page.test/' });
Object.assign(globalThis, {
  window,
  document: window.document,
  Node: window.Node,
  HTMLElement: window.HTMLElement,
  MutationObserver: window.MutationObserver,
});
