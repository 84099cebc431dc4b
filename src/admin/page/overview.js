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
    const tab = (name, words) =>
      element("button", { type: "button", onclick: () => { state.chosen = name; onChoice(); } }, words);
    byId("tabs").replaceChildren(tab(undefined, "Overview"), ...names.map((name) => tab(name, name)));
  }
  shownNames = key;
  [...byId("tabs").children].forEach((one, index) => {
    if ((index ? names[index - 1] : undefined) === state.chosen) one.setAttribute("aria-current", "page");
    else one.removeAttribute("aria-current");
  });
  const isOverview = names.length > 1 && state.chosen === undefined;
  byId("overview").hidden = !isOverview;
  byId("proxy").hidden = isOverview;
  if (isOverview) byId("overview-rows").replaceChildren(...state.status.proxies.map((proxy) => row(proxy, onChoice)));
}

function row(proxy, onChoice) {
  const last = proxyState(proxy.name).samples.slice(-MINUTE);
  const sum = (read) => last.reduce((total, sample) => total + read(sample), 0);
  const worst = proxy.problems[0];
  const { token } = proxy;
  const open = element("button", { type: "button", onclick: () => { state.chosen = proxy.name; onChoice(); } }, proxy.name);
  const cell = (...children) => element("td", {}, ...children);
  const status = cell(element("span", { class: "state", "data-severity": worst?.severity ?? "good" }));
  setText(status.firstChild, worst?.title ?? "All is well");
  return element(
    "tr",
    {},
    element("th", { scope: "row" }, open),
    status,
    cell(token.usable_for_s ? `valid for ${duration(token.usable_for_s)}` : "none"),
    cell(counted(sum(({ c }) => c.reduce((one, other) => one + other)), "request")),
    cell(String(sum(({ c }) => c[4] + c[5]))),
    cell(proxy.upstream),
  );
}
