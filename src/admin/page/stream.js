// The event stream: one for all pages of this browser that show this cupbearer. A browser opens six connections to a
// server at most, and whoever reads the stream keeps one of them for as long as the page is open.

const NAME = "cupbearer-events";

/** After how long a refused viewer tries again, in milliseconds. */
const RETRY = 3000;

/**
 * Follows the stream for as long as the page is open. The page with the lock reads it, and tells the others.
 *
 * @param {{receive: (type: string, data?: string) => void, snapshot: () => object, restore: (snapshot: object) => void}} page
 *   `receive` gets the events, and `open` and `closed`; a page that comes later restores a snapshot of another
 */
export function follow(page) {
  // Only a page on localhost has locks, or one with TLS.
  if (!navigator.locks) {
    read(page.receive);
    return;
  }
  const channel = new BroadcastChannel(NAME);
  const id = crypto.randomUUID();
  let [isReader, hasBegun] = [false, false];
  channel.onmessage = ({ data: { type, data, page: other } }) => {
    if (type === "join") {
      if (isReader) channel.postMessage({ type: "snapshot", data: page.snapshot(), page: other });
    } else if (type === "snapshot") {
      if (other !== id || isReader) return;
      hasBegun = true;
      page.restore(data);
    } else if (hasBegun || type === "open") {
      hasBegun = true;
      page.receive(type, data);
    }
  };
  channel.postMessage({ type: "join", page: id });
  navigator.locks.request(NAME, () => {
    isReader = true;
    read((type, data) => {
      page.receive(type, data);
      channel.postMessage({ type, data });
    });
    // Until this page is closed; then another one reads.
    return new Promise(() => {});
  });
}

function read(receive) {
  const source = new EventSource("/events");
  source.onopen = () => receive("open");
  source.onerror = () => {
    receive("closed");
    // The browser connects again by itself, unless it was refused.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => read(receive), RETRY);
  };
  for (const type of ["status", "requests", "samples"]) source.addEventListener(type, ({ data }) => receive(type, data));
}
