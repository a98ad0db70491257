// Markdown as elements. Rendering adds and never takes away: marks stay, dimmed, so that every character can be read.
//
// No HTML, no pictures, no addresses but web and mail; a link is its words and the whole of where it leads. What would
// lose a character when rendered is shown as it was written.

import { h } from "./dom.js";
import { visible } from "./visible.js";

/** Characters; longer texts are shown as they were written. */
const LONGEST = 50_000;
const PARSER = "../vendor/markdown-it.min.js";
const SCHEMES = ["http:", "https:", "mailto:"];
/** Rules that would lose characters, or that we do without. */
const OFF = ["reference", "lheading", "blockquote", "image", "html_block", "text_join"];
const ADDRESS = /https?:\/\/[^\s<>()"'`*]*[^\s<>()"'`*.,;:!?]/g;

let parser = null;
let loading = null;

/** The text as a block of prose: as it was written, and rendered as soon as there is a parser. */
export function prose(text) {
  const shown = visible(text);
  const node = h("div", { class: "prose" }, asWritten(shown));
  if (shown.length > LONGEST) return node;
  if (parser) node.replaceChildren(...rendered(shown));
  // Without a parser what stands there is complete.
  else load().then(() => node.replaceChildren(...rendered(shown)), () => {});
  return node;
}

function load() {
  loading ??= import(PARSER).then(() => {
    const made = globalThis.markdownit({ html: false, linkify: false, typographer: false }).disable(OFF);
    made.normalizeLink = (url) => url;
    made.normalizeLinkText = (words) => words;
    made.validateLink = (url) => linkable(url) !== null;
    parser = made;
  });
  return loading;
}

const asWritten = (text) => h("p", { class: "written" }, text);
const mark = (text) => h("span", { class: "mark" }, text);
const linkable = (address) => {
  const url = URL.canParse(address) ? new URL(address) : null;
  return url && SCHEMES.includes(url.protocol) ? url : null;
};

function rendered(text) {
  const whole = h("div", {});
  fill(whole, parser.parse(text, {}), block, text.split("\n"));
  return complete(text, whole.textContent) ? [...whole.childNodes] : [asWritten(text)];
}

/** Whether each character of the text, spaces aside, is shown, in its order. */
function complete(text, shown) {
  let at = 0;
  for (const letter of text.replace(/\s+/g, "")) {
    at = shown.indexOf(letter, at) + letter.length;
    if (at < letter.length) return false;
  }
  return true;
}

/** Put what tokens stand for into `root`. `make` says for one what comes in, what its contents go into, and what follows them. */
function fill(root, tokens, make, lines) {
  const open = [{ inner: root }];
  for (const token of tokens) {
    const { inner } = open[open.length - 1];
    if (token.nesting < 0) {
      const { inside, after } = open.pop();
      if (inside) inner.lastElementChild?.append(inside);
      if (after) open[open.length - 1].inner.append(after);
      continue;
    }
    const made = make(token, inner, lines);
    inner.append(...(made.nodes ?? []));
    if (token.nesting > 0) open.push({ ...made, inner: made.inner ?? inner });
  }
}

const within = (node) => ({ nodes: [node], inner: node });

function block(token, parent, lines) {
  switch (token.type) {
    case "inline":
      fill(parent, token.children, inline, lines);
      return {};
    case "paragraph_open":
      return within(h(token.hidden ? "div" : "p", {}));
    case "heading_open": {
      const node = h(`h${Math.min(6, token.markup.length + 2)}`, {}, mark(`${token.markup} `));
      return within(node);
    }
    case "list_item_open": {
      const inner = h("div", {});
      return { nodes: [h("li", {}, mark(`${token.info}${token.markup} `), inner)], inner };
    }
    case "bullet_list_open":
      return within(h("ul", {}));
    case "ordered_list_open":
      return within(h("ol", {}));
    case "fence":
      return { nodes: [fence(token, lines)] };
    case "code_block":
      return { nodes: [h("pre", {}, h("code", {}, token.content))] };
    case "hr":
      return { nodes: [h("p", { class: "rule" }, mark(token.markup))] };
    default:
      return tablePart(token, lines);
  }
}

function fence(token, lines) {
  const last = lines[token.map[1] - 1].trim();
  const closing = token.map[1] - token.map[0] > 1 && last.startsWith(token.markup) ? last : "";
  return h("pre", {}, mark(`${token.markup}${token.info}\n`), h("code", {}, token.content), closing ? mark(closing) : "");
}

function tablePart(token, lines) {
  switch (token.type) {
    case "table_open": {
      const table = h("table", {});
      return { nodes: [h("div", { class: "scroll", tabindex: "0" }, table)], inner: table };
    }
    case "thead_open": {
      const head = h("thead", {});
      const rule = lines[token.map?.[1] ?? 0]?.trim() ?? "";
      return { nodes: [head], inner: head, after: h("tbody", { class: "rule" }, h("tr", {}, h("td", { colspan: 99 }, mark(rule)))) };
    }
    case "tr_open":
      return { ...within(h("tr", {})), inside: mark(" |") };
    case "th_open":
    case "td_open":
      return within(h(token.tag, {}, mark("| ")));
    default:
      return within(h(token.tag, {}));
  }
}

function inline(token, parent) {
  switch (token.type) {
    case "text":
      return { nodes: parent.closest("a") ? [token.content] : linked(token.content) };
    case "text_special":
      return { nodes: [token.markup] };
    case "softbreak":
    case "hardbreak":
      return { nodes: [h("br")] };
    case "code_inline":
      return { nodes: [mark(token.markup), h("code", {}, token.content), mark(token.markup)] };
    case "link_open":
      return link(token);
    default: {
      const node = h(token.tag, {});
      return { nodes: [mark(token.markup), node], inner: node, after: mark(token.markup) };
    }
  }
}

/** The words, and the whole of where they lead. */
function link(token) {
  const address = token.attrGet("href");
  const title = token.attrGet("title");
  const node = anchor(address);
  if (token.markup === "autolink") return { nodes: [mark("<"), node], inner: node, after: mark(">") };
  const tail = h("span", { class: "target" }, `](${address}${title ? ` "${title}"` : ""})`);
  return { nodes: [mark("["), node], inner: node, after: tail };
}

const anchor = (address, words = "") => h("a", { href: linkable(address)?.href, rel: "noopener noreferrer nofollow", target: "_blank" }, words);

/** Plain text, its web addresses as links. */
function linked(text) {
  const found = [];
  let from = 0;
  for (const match of text.matchAll(ADDRESS)) {
    if (!linkable(match[0])) continue;
    found.push(text.slice(from, match.index), anchor(match[0], match[0]));
    from = match.index + match[0].length;
  }
  return [...found, text.slice(from)].filter(Boolean);
}
