// Several proxies: a tab each, and one table of all.

import { byId, element, setText } from "./element.js";
import { proxyState, state } from "./state.js";
import { counted, duration } from "./words.js";

/** Samples in a minute. */
const MINUTE = 30;

let shownNames = "";

/** @param {() => void} onChoice what to do when another proxy was chosen */
export function showTabs(onChoice) {
  const names = state.status.proxies.map((proxy) => proxy.name);
  byId("tabs").hidden = names.length < 2;
  const key = JSON.stringify(names);
  if (key !== shownNames) {
    const button = (name, words) =>
      element("button", { type: "button", onclick: () => { state.chosen = name; onChoice(); } }, words);
    byId("tabs").replaceChildren(button(undefined, "Overview"), ...names.map((name) => button(name, name)));
    byId("overview-rows").replaceChildren(...names.map((name) => row(button(name, name))));
  }
  shownNames = key;
  [...byId("tabs").children].forEach((one, index) => {
    if ((index ? names[index - 1] : undefined) === state.chosen) one.setAttribute("aria-current", "page");
    else one.removeAttribute("aria-current");
  });
  const isOverview = names.length > 1 && state.chosen === undefined;
  byId("overview").hidden = !isOverview;
  byId("proxy").hidden = isOverview;
  if (isOverview) state.status.proxies.forEach((proxy, index) => fillRow(byId("overview-rows").children[index], proxy));
}

/** The row stays, and only its texts change: it keeps the focus, and what is selected in it. */
function row(open) {
  const state = element("td", {}, element("span", { class: "state" }));
  return element("tr", {}, element("th", { scope: "row" }, open), state, ...Array.from({ length: 4 }, () => element("td")));
}

function fillRow(row, proxy) {
  const last = proxyState(proxy.name).samples.slice(-MINUTE);
  const sum = (read) => last.reduce((total, sample) => total + read(sample), 0);
  const worst = proxy.problems[0];
  const { token } = proxy;
  const [, state, ...cells] = row.children;
  setText(state.firstChild, worst?.title ?? "All is well");
  state.firstChild.dataset.severity = worst?.severity ?? "good";
  [
    token.usable_for_s ? `valid for ${duration(token.usable_for_s)}` : "none",
    counted(sum(({ c }) => c.reduce((one, other) => one + other)), "request"),
    String(sum(({ c }) => c[4] + c[5])),
    proxy.upstream,
  ].forEach((text, index) => setText(cells[index], text));
}
