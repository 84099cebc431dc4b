// Builds elements. Every text is set as text, never parsed as HTML, so that no value can become markup.

/** An element with these properties (`class` and `data` included) and children, which are elements or texts. */
export function element(tag, properties = {}, ...children) {
  return filled(document.createElement(tag), properties, children);
}

/** The same for the elements of SVG. */
export function svg(tag, properties = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", tag), properties, children);
}

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** Sets the text only if it differs, so that nothing is laid out again for the same words. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A list of terms and descriptions; rows without a value are left out. A row is [term, value, sentence for hovering]. */
export function fillFacts(list, rows) {
  const shown = rows.filter(([, value]) => value !== undefined && value !== null && value !== "");
  while (list.children.length > 2 * shown.length) list.lastElementChild.remove();
  while (list.children.length < 2 * shown.length) list.append(element("dt"), element("dd"));
  shown.forEach(([term, value, title], index) => {
    const [dt, dd] = [list.children[2 * index], list.children[2 * index + 1]];
    setText(dt, term);
    if (value instanceof Node) dd.replaceChildren(value);
    else setText(dd, String(value));
    if (title) dd.title = title;
    else dd.removeAttribute("title");
  });
}

/** A text in which code stands between backticks, as in the terminal. */
export function marked(text) {
  const parts = text.split("`");
  return parts.length % 2 ? parts.map((part, index) => (index % 2 ? element("code", {}, part) : part)) : [text];
}

/** Shows a short message for a moment. */
export function toast(text) {
  const node = byId("toast");
  node.textContent = text;
  node.hidden = false;
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => (node.hidden = true), 2500);
}

function filled(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== undefined && child !== null));
  return node;
}
