// What the event stream has said so far. Everything that is shown is derived from this.

/** How many requests of a proxy are remembered here. */
const REMEMBERED = 1000;

/** Fifteen minutes of samples. */
const SAMPLES = 450;

/** After how long a refused viewer tries again, in milliseconds. */
const RETRY = 3000;

export const state = {
  /** The last status, or `undefined` before the first one. */
  status: undefined,
  /** When it arrived, in milliseconds since the page was opened. */
  receivedAt: 0,
  isConnected: false,
  /** By the name of the proxy: its requests (the latest last), its samples, how many requests were left out. */
  proxies: new Map(),
  /** The name of the proxy that is shown; `undefined` for the overview. */
  chosen: undefined,
};

/**
 * Reads the event stream for as long as the page is open.
 *
 * @param {{onStatus: () => void, onRequests: (name: string, requests: object[]) => void, onSamples: (name: string) => void,
 *   onReset: () => void}} listener
 */
export function connect(listener) {
  const source = new EventSource("/events");
  source.onopen = () => {
    // The stream begins with everything that is known.
    state.proxies.clear();
    state.isConnected = true;
    listener.onReset();
  };
  source.onerror = () => {
    state.isConnected = false;
    listener.onStatus();
    // The browser connects again by itself, unless it was refused.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => connect(listener), RETRY);
  };
  source.addEventListener("status", ({ data }) => {
    state.status = JSON.parse(data);
    state.receivedAt = performance.now();
    state.isConnected = true;
    const names = state.status.proxies.map((proxy) => proxy.name);
    if (state.chosen === undefined ? names.length === 1 : !names.includes(state.chosen)) state.chosen = names[0];
    listener.onStatus();
  });
  source.addEventListener("requests", ({ data }) => {
    const { proxy, omitted, requests } = JSON.parse(data);
    const known = proxyState(proxy);
    known.omitted += omitted;
    known.requests.push(...requests);
    if (known.requests.length > REMEMBERED) known.requests.splice(0, known.requests.length - REMEMBERED);
    listener.onRequests(proxy, requests);
  });
  source.addEventListener("samples", ({ data }) => {
    const { proxy, bounds, samples } = JSON.parse(data);
    const known = proxyState(proxy);
    known.bounds = bounds;
    known.samples.push(...samples);
    if (known.samples.length > SAMPLES) known.samples.splice(0, known.samples.length - SAMPLES);
    listener.onSamples(proxy);
  });
}

/** What is known about the proxy with this name. */
export function proxyState(name) {
  if (!state.proxies.has(name)) state.proxies.set(name, { requests: [], samples: [], bounds: [], omitted: 0 });
  return state.proxies.get(name);
}

/** The status of the proxy that is shown. */
export const chosenStatus = () => state.status?.proxies.find((proxy) => proxy.name === state.chosen);

/** Seconds since the status arrived, by which its countdowns have gone on. */
export const sinceStatus = () => (performance.now() - state.receivedAt) / 1000;
