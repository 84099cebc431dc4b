// What the event stream has said so far. Everything that is shown is derived from this.

import { follow } from "./stream.js";

/** How many requests of a proxy are remembered here. */
const REMEMBERED = 1000;

/** Fifteen minutes of samples. */
const SAMPLES = 450;

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
  const events = {
    open() {
      state.isConnected = true;
    },
    closed() {
      state.isConnected = false;
      listener.onStatus();
    },
    status(status) {
      const isOther = state.status && !isSameProcess(state.status, status);
      if (isOther) state.proxies.clear();
      takeStatus(status, 0);
      listener.onStatus();
      if (isOther) listener.onReset();
    },
    requests({ proxy, omitted, requests }) {
      const known = proxyState(proxy);
      const last = known.requests.at(-1)?.number ?? 0;
      // A new stream begins with everything that is known.
      const newer = requests.filter(({ number }) => number > last);
      if (!newer.length) return;
      known.omitted += last ? newer[0].number - last - 1 : omitted;
      append(known.requests, newer, REMEMBERED);
      listener.onRequests(proxy, newer);
    },
    samples({ proxy, bounds, samples }) {
      const known = proxyState(proxy);
      const last = known.samples.at(-1)?.t ?? 0;
      known.bounds = bounds;
      append(known.samples, samples.filter(({ t }) => t > last), SAMPLES);
      listener.onSamples(proxy);
    },
  };
  follow({
    receive: (type, data) => events[type](data && JSON.parse(data)),
    snapshot: () => ({ status: state.status, age: sinceStatus(), isConnected: state.isConnected, proxies: state.proxies }),
    restore({ status, age, isConnected, proxies }) {
      [state.proxies, state.isConnected] = [proxies, isConnected];
      if (!status) return;
      takeStatus(status, age);
      listener.onStatus();
      listener.onReset();
    },
  });
}

/** `age` is how many seconds ago it arrived. */
function takeStatus(status, age) {
  state.status = status;
  state.receivedAt = performance.now() - age * 1000;
  state.isConnected = true;
  const names = status.proxies.map((proxy) => proxy.name);
  if (state.chosen === undefined ? names.length === 1 : !names.includes(state.chosen)) [state.chosen] = names;
}

/** Whether the requests are numbered on. In a container, each process has the same id. */
function isSameProcess(before, now) {
  const uptime = (status) => status.proxies[0]?.uptime_s ?? 0;
  return before.pid === now.pid && uptime(before) <= uptime(now);
}

function append(list, more, most) {
  list.push(...more);
  if (list.length > most) list.splice(0, list.length - most);
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
