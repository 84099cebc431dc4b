// Parses PromQL queries far enough to compare the metrics, labels and values that they name with those that a program
// exports.

/** Labels that Prometheus adds to each series, and `proxy`, which exists if a process has several proxies. */
const TARGET_LABELS = ["job", "instance", "proxy"];

/** Metrics of Prometheus itself. */
const FOREIGN = new Map([["up", [{}]]]);

const KEYWORDS = /^(by|without|on|ignoring|group_left|group_right|and|or|unless|bool|offset|inf|nan)$/i;

/** Parses the text format into a map from the name of a metric to the label sets of its series. */
export function seriesOf(text) {
  const found = new Map(FOREIGN);
  for (const line of text.split("\n")) {
    const [, name, labels] = /^([a-z_]+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    if (!name) continue;
    if (!found.has(name)) found.set(name, []);
    found.get(name).push(Object.fromEntries(matchersIn(labels).map(({ label, value }) => [label, value])));
  }
  return found;
}

/** The metrics, labels and values that `expression` names but that do not exist. */
export function problemsOf(expression, shown) {
  const problems = [];
  const named = namedIn(expression);
  for (const { metric, matchers } of named) {
    const series = shown.get(metric);
    if (!series) {
      problems.push(`there is no ${metric}`);
      continue;
    }
    for (const { label, operator, value } of matchers) {
      if (TARGET_LABELS.includes(label)) continue;
      if (!series.some((labels) => label in labels)) problems.push(`${metric} has no label ${label}`);
      else if (!alternatives(operator, value).every((one) => series.some((labels) => one.test(labels[label])))) {
        problems.push(`${metric} has no ${label} "${value}"`);
      }
    }
  }
  const labels = new Set(named.flatMap(({ metric }) => (shown.get(metric) ?? []).flatMap(Object.keys)));
  for (const label of groupings(expression)) {
    if (!labels.has(label) && !TARGET_LABELS.includes(label)) problems.push(`no metric in it has the label ${label}`);
  }
  return problems.map((problem) => `${expression}: ${problem}`);
}

/** The metrics that an expression names, each with its label matchers. */
export function namedIn(expression) {
  const bare = expression.replace(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)/g, " ").replace(/\[[^\]]*\]/g, " ");
  const words = bare.matchAll(/([a-zA-Z_:][\w:]*)\s*(\{(?:[^}"]|"[^"]*")*\}|\()?/g);
  return [...words]
    .filter(([, word, after]) => after !== "(" && !KEYWORDS.test(word))
    .map(([, metric, after]) => ({ metric, matchers: matchersIn(after?.slice(1, -1)) }));
}

function matchersIn(text = "") {
  return [...text.matchAll(/(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"/g)].map(([, label, operator, value]) => ({ label, operator, value }));
}

function groupings(expression) {
  const lists = [...expression.matchAll(/\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g)];
  return lists.flatMap(([, list]) => list.split(",").map((label) => label.trim()).filter(Boolean));
}

/** The values that a matcher requires. A negative matcher requires none; for "a|b" both values must exist. */
function alternatives(operator, value) {
  if (operator.startsWith("!")) return [];
  if (operator === "=") return [{ test: (text) => text === value }];
  const isPlainList = /^[\w|]+$/.test(value);
  return (isPlainList ? value.split("|") : [value]).map((one) => new RegExp(`^(?:${one})$`));
}
