// Connects what arrives with what is shown.

import { byId, setText } from "./element.js";
import { archive, download } from "./export.js";
import { createDoctor } from "./doctor.js";
import { closeDetails, showDetails } from "./details.js";
import { listenToKeys } from "./keyboard.js";
import { showTabs } from "./overview.js";
import { createPlots, showPlots } from "./plots.js";
import { showProblems } from "./problems.js";
import { chosenStatus, connect, state } from "./state.js";
import { addToTable, createTable, filtered, refreshTimes, resetTable } from "./table.js";
import { showToken } from "./token.js";

function showAll() {
  if (!state.status) return showProblems();
  setText(byId("version"), state.status.version);
  showProblems();
  showTabs(chooseProxy);
  showToken();
}

function chooseProxy() {
  closeDetails();
  showAll();
  resetTable();
  showPlots();
}

createPlots();
createTable({ open: showDetails });
listenToKeys();
createDoctor();
byId("har").addEventListener("click", () => {
  const proxy = chosenStatus();
  if (proxy) download("cupbearer.har", archive(filtered(), proxy, state.status.version));
});
setInterval(() => {
  showAll();
  refreshTimes();
}, 1000);

let wasChosen;
connect({
  onStatus() {
    showAll();
    if (wasChosen !== state.chosen) {
      resetTable();
      showPlots();
    }
    wasChosen = state.chosen;
  },
  onRequests(name, requests) {
    if (name === state.chosen) addToTable(requests);
  },
  onSamples(name) {
    if (name === state.chosen) showPlots();
  },
  onReset() {
    resetTable();
    showPlots();
  },
});
