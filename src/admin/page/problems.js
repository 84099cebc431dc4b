// What is wrong, before everything else: one card each, and the state in the title, the icon and the headline.

import { runDoctor } from "./doctor.js";
import { byId, element, marked, setText } from "./element.js";
import { state } from "./state.js";
import { duration } from "./words.js";

const DISCONNECTED = {
  code: "disconnected",
  severity: "error",
  title: "cupbearer does not respond to this page",
  detail: "It has stopped, or it has as many viewers as it allows (8), or this page may no longer read it.",
  responsible: "cupbearer",
  remedy: "Check whether it is running; this page reconnects by itself.",
};

const RANK = ["error", "warning", "notice"];
let shown = "";

/** All problems, with the name of the proxy if there are several; the worst first. */
export function problems() {
  if (!state.status) return state.isConnected ? [] : [DISCONNECTED];
  if (!state.isConnected) return [DISCONNECTED];
  const { proxies } = state.status;
  const named = (proxy) => (problem) => ({ ...problem, proxy: proxies.length > 1 ? proxy.name : undefined });
  const all = [...state.status.problems, ...proxies.flatMap((proxy) => proxy.problems.map(named(proxy)))];
  return all.sort((one, other) => RANK.indexOf(one.severity) - RANK.indexOf(other.severity));
}

export function showProblems() {
  const all = problems();
  // Only a real change is read out by a screen reader, not how long ago something was, nor its latest figures.
  const key = JSON.stringify(all.map(({ code, proxy, severity, title }) => [code, proxy, severity, title]));
  if (key !== shown) byId("problems").replaceChildren(...all.map(card));
  else all.forEach(updateCard);
  shown = key;
  for (const time of byId("problems").querySelectorAll("time")) setText(time, sinceWords(time.dateTime));
  showState(all);
}

function card(problem) {
  const fact = (term, value) => (value ? [element("dt", {}, term), element("dd", {}, ...value)] : []);
  const time = problem.since && element("time", { datetime: problem.since, title: problem.since, "aria-live": "off" }, sinceWords(problem.since));
  return element(
    "article",
    { class: "problem", "data-severity": problem.severity, "data-code": problem.code },
    element("h2", {}, problem.proxy ? `${problem.proxy}: ${problem.title}` : problem.title),
    element("p", { "aria-live": "off" }, problem.detail ?? ""),
    element(
      "dl",
      {},
      ...fact("Since", time && [time]),
      ...fact("Responsible", marked(problem.responsible)),
      ...fact("What to do", marked(problem.remedy)),
    ),
    ...actions(problem),
  );
}

/** What the remedy asks for, if this page can do it. */
function actions(problem) {
  if (problem.code === "login_required") return [element("p", {}, element("a", { href: "/sign-in" }, "Sign in"))];
  if (!problem.remedy.includes("cupbearer doctor")) return [];
  return [element("button", { type: "button", onclick: runDoctor }, "Run the doctor")];
}

function updateCard(problem, index) {
  const shownCard = byId("problems").children[index];
  setText(shownCard.querySelector("p"), problem.detail ?? "");
  const time = shownCard.querySelector("time");
  if (time && problem.since) [time.dateTime, time.title] = [problem.since, problem.since];
}

function sinceWords(since) {
  const seconds = (Date.now() - Date.parse(since)) / 1000;
  return Number.isFinite(seconds) ? `${duration(seconds)} ago` : since;
}

/** The state without any error or warning. */
function calm() {
  if (!state.status) return ["unknown", "Connecting…"];
  return state.status.ready ? ["good", "All is well"] : ["warning", "Not ready yet"];
}

function showState(all) {
  const worst = all.find((problem) => problem.severity !== "notice");
  const [severity, words] = worst ? [worst.severity, worst.title] : calm();
  const node = byId("state");
  setText(node, worst && all.length > 1 ? `${words}, and ${all.length - 1} more` : words);
  node.dataset.severity = severity;
  const title = `${{ good: "✓", error: "✗", warning: "!" }[severity] ?? "…"} ${words} – cupbearer`;
  if (document.title !== title) document.title = title;
  const icon = `/page/${severity === "unknown" ? "warning" : severity}.svg`;
  if (byId("icon").getAttribute("href") !== icon) byId("icon").setAttribute("href", icon);
}
