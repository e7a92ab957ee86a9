/** The first page: ties its parts together. No framework, no build step: what the browser loads is what stands here. */
import { createCurlLines } from './page/curl-lines.js';
import { byId } from './page/dom.js';
import { createEventList } from './page/event-list.js';
import { createEventStream } from './page/event-stream.js';
import { startHostPanel } from './page/host-panel.js';
import { createPublishBox } from './page/publish-box.js';
import { createTopicBrowser } from './page/topic-browser.js';
import { createWatchPanel } from './page/watch-panel.js';

/** What is watched when the address says nothing. */
const FIRST_TOPICS = ['chat:lobby'];

/** How often the lines for the shell take up the stream's position, in ms. */
const LINES_MS = 500;

const origin = new URL('.', location.href).href.replace(/\/$/, '');
byId('where').textContent = origin;

const list = createEventList();
const stream = createEventStream({ listener: receive });
const watch = createWatchPanel({ stream, list, changed: showWatched });
const publish = createPublishBox({ watch, changed: showLines });
const lines = createCurlLines(origin);
const topics = createTopicBrowser({ watch });

let scheduled = false;

function receive(item) {
  list.receive(item);
  if (scheduled) return;
  scheduled = true;
  setTimeout(() => {
    scheduled = false;
    showLines();
  }, LINES_MS);
}

function showWatched() {
  topics.mark();
  showLines();
  // The address keeps what is watched, so that a reload or a bookmark comes back to it.
  const query = new URLSearchParams(watch.topics().map((topic) => ['topic', topic]));
  history.replaceState(null, '', query.size === 0 ? location.pathname : `#${query}`);
}

function showLines() {
  const topic = watch.topics().at(-1) ?? publish.topic();
  lines.show({ topic, publish: publish.event(), publishTopic: publish.topic(), cursor: stream.cursor() });
}

startHostPanel();
topics.start();
const asked = new URLSearchParams(location.hash.slice(1)).getAll('topic');
watch.set(asked.length > 0 ? asked : FIRST_TOPICS);
