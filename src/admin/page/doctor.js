// Runs the doctor's checks and shows each as it ends.

import { byId, element, setText } from "./element.js";

export function createDoctor() {
  byId("doctor").addEventListener("click", runDoctor);
}

export async function runDoctor() {
  const [dialog, list, note] = [byId("doctor-dialog"), byId("checks"), byId("doctor-note")];
  list.replaceChildren();
  setText(note, "The checks run now. They request one token, and send one GET to the API.");
  dialog.showModal();
  try {
    const answer = await fetch("/doctor", { method: "POST", headers: { "x-cupbearer": "1" } });
    if (!answer.ok) return setText(note, (await answer.text()).trim());
    await eachLine(answer.body, (line) => show(list, JSON.parse(line)));
    const failed = list.querySelectorAll('[data-outcome="failed"]').length;
    setText(note, failed ? `${failed} of ${list.children.length} checks failed: start with the first of them.` : "All is well.");
  } catch (error) {
    setText(note, `The checks were interrupted: ${error.message}`);
  }
  return undefined;
}

async function eachLine(body, use) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const lines = (rest + part.value).split("\n");
    rest = lines.pop();
    lines.forEach(use);
  }
}

function show(list, check) {
  const key = `${check.proxy} ${check.number}`;
  let item = [...list.children].find((one) => one.dataset.key === key);
  if (!item) list.append((item = element("li", { "data-key": key })));
  item.dataset.outcome = check.outcome ?? "running";
  const remedies = (check.remedies ?? []).map(({ cause, remedy }) => element("p", {}, cause ? `${cause}: ${remedy}` : remedy));
  item.replaceChildren(
    element("strong", {}, `${check.outcome ?? "…"} `),
    `${check.title}${check.said ? `: ${check.said}` : ""}`,
    ...remedies,
  );
  item.scrollIntoView({ block: "nearest" });
}
