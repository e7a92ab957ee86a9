/** Addresses of the API, relative to the page. */

/** A topic in a path: percent-encoded but for `:`, which stands between levels and is legal there (RFC 3986, 3.3). */
export function encodeTopic(topic) {
  return encodeURIComponent(topic).replaceAll('%3A', ':');
}

/** The events of one topic. */
export function eventsPath(topic) {
  return `v1/topics/${encodeTopic(topic)}/events`;
}

/** The events of several topics, with a query. */
export function manyEventsPath(topics, query = {}) {
  const search = new URLSearchParams(topics.map((topic) => ['topic', topic]));
  for (const [name, value] of Object.entries(query)) search.set(name, value);
  return `v1/events?${search}`;
}

/** What a refused request says, in words: the problem's title, detail and errors (RFC 9457). */
export async function problemText(response) {
  try {
    const { title, detail, errors = [] } = await response.json();
    const parts = [
      title,
      detail,
      ...errors.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)),
    ];
    return parts.filter((part) => typeof part === 'string' && part !== '').join(' — ');
  } catch {
    // Not a problem document, so something between this page and the server answered.
    return `HTTP ${response.status}`;
  }
}
