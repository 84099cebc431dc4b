// Traffic over the last 1, 5 or 15 minutes: requests by status, times, bytes. Plain SVG: three small plots need no library.

import { byId, element, setText, svg } from "./element.js";
import { proxyState, state } from "./state.js";
import { bytes, milliseconds, rate } from "./words.js";

/** Seconds between two samples. */
const STEP = 2;
const [WIDTH, HEIGHT] = [600, 100];

/** How many samples are one point, so that a quarter of an hour has no more points than pixels. */
const PER_POINT = { 60: 1, 300: 2, 900: 5 };

let shownSeconds = 300;
const plots = [];

const CLASSES = [[1, "1xx upgraded (WebSocket)"], [2, "2xx succeeded"], [3, "3xx redirected or not modified"], [4, "4xx rejected"], [5, "5xx failed"], [0, "client disconnected"]];

export function createPlots() {
  for (const [seconds, words] of [[60, "1 minute"], [300, "5 minutes"], [900, "15 minutes"]]) {
    const input = element("input", {
      type: "radio", name: "window", value: seconds, checked: seconds === shownSeconds,
      onchange: () => { shownSeconds = seconds; showPlots(); },
    });
    byId("windows").append(element("label", {}, input, element("span", {}, words)));
  }
  addPlot("Requests per second, by status", (value) => `${rate(value)}/s`, CLASSES.map(([digit, name]) => ({
    name, style: digit, value: ({ c }, span) => c[digit] / span,
  })), "So many requests ended per second, by the class of their status.");
  addPlot("How long requests take", estimate, [
    [2, "half take at most (p50)", 0.5], [4, "95 % take at most (p95)", 0.95], [5, "99 % take at most (p99)", 0.99],
  ].map(([style, name, share]) => ({ name, style, value: ({ b }, _, bounds) => percentile(b, bounds, share) })), ESTIMATED);
  addPlot("Bytes per second", (value) => `${bytes(value)}/s`, [
    { name: "received from clients", style: 3, value: ({ i }, span) => i / span },
    { name: "sent to clients", style: 2, value: ({ o }, span) => o / span },
  ], "So many bytes passed per second between clients and cupbearer, heads included.");
}

const ESTIMATED = "Requests are counted in classes by their time; within a class, they are taken to be spread evenly.";

/** What takes longer than the last class is only known to take longer. */
const estimate = (ms, bounds) => `${ms >= 1000 * bounds.at(-1) ? "over" : "about"} ${milliseconds(ms)}`;

/** Draws the chosen proxy's samples. */
export function showPlots() {
  const { samples, bounds } = proxyState(state.chosen);
  const points = merged(samples.slice(-shownSeconds / STEP), PER_POINT[shownSeconds]);
  const all = merged(samples.slice(-shownSeconds / STEP), Infinity)[0];
  for (const plot of plots) plot.show(points, bounds, all);
}

/** The sum of each group of samples, counted from the latest. */
function merged(samples, group) {
  const points = [];
  for (let end = samples.length; end > 0; end -= group) {
    const some = samples.slice(Math.max(0, end - group), end);
    const add = (one, other) => one.map((value, index) => value + (other[index] ?? 0));
    const sum = some.reduce((one, other) => ({
      c: add(one.c, other.c), b: add(other.b, one.b), i: one.i + other.i, o: one.o + other.o,
    }));
    points.unshift({ ...sum, span: some.length * STEP });
    if (group === Infinity) break;
  }
  return points;
}

/** The time within which this share of requests has ended; `undefined` without requests. Straight within a bucket. */
export function percentile(buckets, bounds, share) {
  const total = buckets.reduce((sum, count) => sum + count, 0);
  if (!total) return undefined;
  let [rest, lower] = [share * total, 0];
  for (let index = 0; index < buckets.length; index += 1) {
    const upper = bounds[index] ?? lower;
    if (rest <= buckets[index]) return 1000 * (lower + (upper - lower) * (rest / buckets[index]));
    rest -= buckets[index];
    lower = upper;
  }
  return 1000 * lower;
}

function addPlot(title, words, lines, explanation) {
  const drawing = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  const caption = element("figcaption", {}, element("strong", {}, title), element("span", { class: "note" }));
  const legend = element("div", { class: "legend" });
  const drawn = lines.map((line) => {
    const [path, label] = [svg("path", { class: `c${line.style}` }), element("span", { class: `l${line.style}` })];
    drawing.append(path);
    legend.append(label);
    return { ...line, path, label };
  });
  byId("plots").append(element("figure", { class: "plot", title: explanation }, caption, drawing, legend));
  const show = (points, bounds, all) => {
    const most = Math.max(...drawn.flatMap(({ value }) => points.map((point) => value(point, point.span, bounds) ?? 0)), 0);
    // Of the space for the whole time, so that a young process draws from the right.
    const slots = shownSeconds / STEP / PER_POINT[shownSeconds];
    for (const { name, value, path, label } of drawn) {
      path.setAttribute("d", line(points.map((point) => value(point, point.span, bounds)), most, slots));
      const figure = all && value(all, all.span, bounds);
      setText(label, `${name}: ${figure === undefined ? "no requests" : words(figure, bounds)}`);
    }
    const top = most ? `, at most ${words(most, bounds)}` : "";
    setText(caption.lastChild, top);
    drawing.setAttribute("aria-label", `${title}. ${drawn.map(({ label }) => label.textContent).join(", ")}${top}.`);
  };
  plots.push({ show });
}

/** A line through these values; it is interrupted where there is none. */
function line(values, most, slots) {
  let [path, isDown] = ["", false];
  values.forEach((value, index) => {
    if (value === undefined) {
      isDown = false;
      return;
    }
    const x = WIDTH * ((slots - values.length + index + 1) / slots);
    const y = HEIGHT - 2 - (most ? (value / most) * (HEIGHT - 6) : 0);
    path += `${isDown ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    // A single value is a short stroke, not an invisible point.
    if (!isDown && values[index + 1] === undefined) path += "h-3";
    isDown = true;
  });
  return path;
}
