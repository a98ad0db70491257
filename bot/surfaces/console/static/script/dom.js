// Elements are built, never parsed: text stays text, whoever wrote it, and nothing in it stays unseen.

import { visible } from "./visible.js";

/** Attributes that people read. */
const READ = new Set(["title", "aria-label", "placeholder"]);

/** An element with properties, attributes (where there is no such property) and children. */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else if (value === true) node.setAttribute(name, "");
    else node.setAttribute(name, READ.has(name) ? visible(value) : value);
  }
  const there = children.flat().filter((child) => child !== null && child !== undefined && child !== "");
  node.append(...there.map((child) => (child instanceof Node ? child : visible(String(child)))));
  return node;
}

let numbers = 0;

/** An id that no other element has. */
export const newId = (word) => `${word}-${(numbers += 1)}`;

/** Make `list` hold just these nodes in this order, without touching those that are in place: focus stays. */
export function arrange(list, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...list.children]) if (!wanted.has(child)) child.remove();
  nodes.forEach((node, index) => {
    if (list.children[index] !== node) list.insertBefore(node, list.children[index] ?? null);
  });
}

/** Set a node's text, if it differs. */
export function write(node, text) {
  const shown = visible(text);
  if (node.textContent !== shown) node.textContent = shown;
}
