// config/observability: the queries name only metrics, labels and values that exist, every alert fires for its own
// cause and no other, and every runbook exists.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { namedIn, problemsOf, seriesOf } from "./promql.mjs";
import { curl, run, setUp, statusOf, temporaryDirectory, until } from "./support.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const ALERTS = join(ROOT, "config/observability/alerts.yaml");
const RULE_TESTS = join(ROOT, "tests/e2e/alerts_test.yaml");
const dashboard = JSON.parse(readFileSync(join(ROOT, "config/observability/dashboard.json"), "utf8"));

/** The groups of the alert rules. */
async function rules(t) {
  const script = fileURLToPath(new URL("read_yaml.py", import.meta.url));
  const { stdout, stderr } = await run(process.env.E2E_PYTHON, [script, ALERTS]);
  return JSON.parse(stdout || assert.fail(stderr))[0].groups.flatMap(({ rules }) => rules);
}

const panels = dashboard.panels.filter(({ type }) => type !== "row");
const targets = panels.flatMap((panel) => panel.targets.map((target) => ({ ...target, title: panel.title })));
const variables = dashboard.templating.list.filter(({ type }) => type === "query");
/** `label_values(QUERY, LABEL)` is Grafana's own. */
const choices = variables.map(({ definition }) => /^label_values\((.*), \w+\)$/.exec(definition)[1]);
const queries = [...[...targets, ...dashboard.annotations.list].map(({ expr }) => expr), ...choices];

/** The query that Prometheus receives, after Grafana has replaced its variables. */
const plain = (query) => query.replaceAll("$__rate_interval", "5m").replace(/\$(job|instance)\b/g, ".*");

test("the queries name only metrics, labels and values that the binary exports", async (t) => {
  const shown = seriesOf(await metricsAfterAllKindsOfRequests(t));
  const expressions = [...queries.map(plain), ...(await rules(t)).map(({ expr }) => expr)];
  assert.ok(expressions.length > 30);
  assert.deepEqual(expressions.flatMap((expression) => problemsOf(expression, shown)), []);
  // And none of cupbearer's own metrics is left unused.
  const looked = new Set(expressions.flatMap((expression) => namedIn(expression).map(({ metric }) => metric)));
  const ours = [...shown.keys()].filter((name) => name.startsWith("cupbearer_") && !/_(sum|count)$/.test(name));
  assert.deepEqual(ours.filter((name) => !looked.has(name)), ["cupbearer_token_last_success_seconds"]);

  for (const [misspelt, complaint] of [
    ["rate(cupbearer_request_total[5m])", "there is no cupbearer_request_total"],
    ["cupbearr_token_state", "there is no cupbearr_token_state"],
    ['cupbearer_token_state{status="fresh"}', "cupbearer_token_state has no label status"],
    ['cupbearer_token_state{state="fresch"}', 'cupbearer_token_state has no state "fresch"'],
    ['cupbearer_requests_total{reason=~"upsteam_.*"}', 'cupbearer_requests_total has no reason "upsteam_.*"'],
    ["sum by (outcom) (cupbearer_reload_total)", "no metric in it has the label outcom"],
  ]) {
    assert.deepEqual(problemsOf(misspelt, shown).map((problem) => problem.split(": ").at(-1)), [complaint]);
  }
});

/** The text of /metrics after requests have ended in every way that a query asks for. */
async function metricsAfterAllKindsOfRequests(t) {
  const config = '[limits]\nin_flight = 1\n[admin]\nlisten = "127.0.0.1:0"';
  const { authorizationServer, api, proxy } = await setUp(t, { config });
  const [, admin] = /admin +(http:\/\/127\.0\.0\.1:\d+)/.exec(proxy.output.stderr);
  const path = `${proxy.url}/api/v1/certificates`;
  assert.equal(await statusOf(path), 200);
  assert.equal(await statusOf("--header", "Host: elsewhere", path), 403);
  const upload = request(`${proxy.url}/upload`, { method: "POST", headers: { expect: "100-continue" } });
  upload.on("error", () => {}); // it is destroyed below
  upload.flushHeaders();
  await once(upload, "continue"); // from the API: the only slot is taken until the body ends
  assert.equal(await statusOf(path), 503);
  upload.destroy();
  await until(async () => (await statusOf(path)) === 200, "the slot was not released");
  await api.close();
  assert.equal(await statusOf(path), 502);
  await authorizationServer.close();
  await until(async () => (await statusOf(path)) === 503, "the token did not expire");
  return (await curl(`${admin}/metrics`)).stdout;
}

test("Prometheus can read every query", async (t) => {
  const records = queries.map((query, number) => ({ record: `query:${number}`, expr: plain(query) }));
  const file = join(await temporaryDirectory(t), "queries.yaml");
  const check = async (records) => {
    writeFileSync(file, JSON.stringify({ groups: [{ name: "dashboard", rules: records }] }));
    return run("promtool", ["check", "rules", file]);
  };
  const { code, stdout, stderr } = await check(records);
  assert.equal(code, 0, stdout + stderr);
  assert.equal((await check([{ record: "query:x", expr: "sum(" }])).code, 1);
});

test("every alert fires for its own cause and for no other", async (t) => {
  const { code, stdout, stderr } = await run("promtool", ["test", "rules", RULE_TESTS]);
  assert.equal(code, 0, stdout + stderr);
  const tests = readFileSync(RULE_TESTS, "utf8");
  for (const { alert } of await rules(t)) assert.ok(tests.includes(`{alertname="${alert}"}`), `no test sees ${alert} fire`);
});

test("every alert names the side at fault and the remedy, and its runbook exists", async (t) => {
  const page = readFileSync(join(ROOT, "docs/alerts.md"), "utf8");
  const sections = new Set([...page.matchAll(/^## (\w+)$/gm)].map(([, title]) => title));
  for (const { alert, labels, annotations } of await rules(t)) {
    assert.ok(["critical", "warning", "info"].includes(labels.severity), alert);
    assert.ok(["ours", "token endpoint", "API", "caller"].includes(labels.side), alert);
    assert.ok(annotations.summary.includes("{{ $labels.instance }}"), alert);
    assert.match(annotations.description, /^Side: .*\. /, alert);
    assert.equal(annotations.runbook, `docs/alerts.md#${alert.toLowerCase()}`);
    assert.ok(sections.delete(alert), `docs/alerts.md has no section ${alert}`);
  }
  assert.deepEqual([...sections], [], "sections of alerts that do not exist");
});

test("every panel of the dashboard has a description and the chosen data source, and no two overlap", () => {
  const ids = dashboard.panels.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  const cells = new Set();
  for (const { title, description, datasource, gridPos, targets } of panels) {
    assert.ok(title && description && targets.length, title);
    assert.equal(datasource.uid, "${datasource}");
    for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
      for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
        assert.ok(x < 24 && !cells.has(`${x},${y}`), title);
        cells.add(`${x},${y}`);
      }
    }
  }
  for (const { expr, legendFormat, title } of targets) {
    for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
      const isKept = new RegExp(`by \\([^)]*\\b${label}\\b`).test(expr) || (!/\bby\b|^sum/.test(expr) && ["instance", "proxy"].includes(label));
      assert.ok(isKept, `${title}: nothing in ${expr} keeps ${label}`);
    }
  }
});
