// Keys, as in other tools that show lists.

import { byId } from "./element.js";
import { closeDetails, copyCurl } from "./details.js";
import { moveSelection, selectedRequest, togglePause } from "./table.js";

export function listenToKeys() {
  byId("help").addEventListener("click", () => byId("help-dialog").showModal());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const isTyping = event.target.matches("input[type=search], select, textarea");
    if (event.key === "Escape") {
      if (!closeDetails() && isTyping) event.target.blur();
      return;
    }
    if (isTyping) return;
    const action = ACTIONS[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

const ACTIONS = {
  "/": () => byId("filter-text").focus(),
  j: () => moveSelection(1),
  k: () => moveSelection(-1),
  c: () => copyCurl(selectedRequest()),
  p: togglePause,
  "?": () => byId("help-dialog").showModal(),
};
