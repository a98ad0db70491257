// Markdown as elements. Only what is built here can come out: no HTML, no pictures, no addresses but web and mail.

import { h } from "./dom.js";

/** The text as a block of prose. */
export function prose(text) {
  return h("div", { class: "prose" }, blocks(text.replace(/\r\n?/g, "\n").split("\n")));
}

const FENCE = /^ {0,3}(```+|~~~+)/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*$/;
const RULE = /^ {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])[ \t]+/;
const TABLE_RULE = /^ {0,3}\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$/;
const DEEPEST = 6;

function blocks(lines, depth = 0) {
  const found = [];
  let at = 0;
  while (at < lines.length) {
    if (!lines[at].trim()) at += 1;
    else {
      const [node, next] = block(lines, at, depth);
      found.push(node);
      at = next;
    }
  }
  return found;
}

function block(lines, at, depth) {
  const line = lines[at];
  const heading = HEADING.exec(line);
  if (FENCE.test(line)) return fenced(lines, at);
  if (heading) return [h(`h${Math.min(6, heading[1].length + 2)}`, {}, inline(heading[2])), at + 1];
  if (RULE.test(line)) return [h("hr"), at + 1];
  if (depth < DEEPEST && QUOTE.test(line)) return quote(lines, at, depth);
  if (depth < DEEPEST && ITEM.test(line)) return list(lines, at, depth);
  if (line.includes("|") && TABLE_RULE.test(lines[at + 1] ?? "") && lines[at + 1].includes("-")) return table(lines, at);
  return paragraph(lines, at, depth);
}

function fenced(lines, at) {
  const mark = FENCE.exec(lines[at])[1];
  let end = at + 1;
  while (end < lines.length && !lines[end].trimStart().startsWith(mark)) end += 1;
  const text = lines.slice(at + 1, end).join("\n");
  // It may be too wide: then it scrolls, also with the arrow keys.
  return [h("pre", { tabindex: "0" }, h("code", {}, text)), end + 1];
}

function quote(lines, at, depth) {
  let end = at;
  while (end < lines.length && QUOTE.test(lines[end])) end += 1;
  const inner = lines.slice(at, end).map((line) => line.replace(QUOTE, ""));
  return [h("blockquote", {}, blocks(inner, depth + 1)), end];
}

function list(lines, at, depth) {
  const ordered = /\d/.test(ITEM.exec(lines[at])[2]);
  const items = [];
  let end = at;
  while (end < lines.length) {
    const mark = ITEM.exec(lines[end]);
    if (!mark || /\d/.test(mark[2]) !== ordered || RULE.test(lines[end])) break;
    const [inner, next] = item(lines, end, mark[0].length);
    items.push(h("li", {}, tight(blocks(inner, depth + 1))));
    end = next;
  }
  const start = ordered ? parseInt(ITEM.exec(lines[at])[2], 10) : 1;
  return [h(ordered ? "ol" : "ul", start === 1 ? {} : { start }, items), end];
}

/** The lines of a list item: the first, those indented, and those that go on with its paragraph. */
function item(lines, at, indent) {
  const inner = [lines[at].slice(indent)];
  let end = at + 1;
  for (; end < lines.length; end += 1) {
    const line = lines[end];
    if (/^ {2,}|^\t/.test(line)) inner.push(line.replace(new RegExp(`^(?: {1,${indent}}|\\t)`), ""));
    else if (!line.trim() && /^ {2,}\S|^\t/.test(lines[end + 1] ?? "")) inner.push("");
    else if (!line.trim() && ITEM.test(lines[end + 1] ?? "")) continue;
    else if (!line.trim() || begins(line)) break;
    else inner.push(line);
  }
  return [inner, end];
}

/** A single paragraph needs no `p` around it. */
const tight = (nodes) => nodes.flatMap((node, index) => (index === 0 && node.tagName === "P" ? [...node.childNodes] : [node]));

const begins = (line) => [FENCE, HEADING, RULE, QUOTE, ITEM].some((pattern) => pattern.test(line));

function table(lines, at) {
  let end = at + 2;
  while (end < lines.length && lines[end].includes("|")) end += 1;
  const row = (line, tag) => h("tr", {}, cells(line).map((cell) => h(tag, {}, inline(cell))));
  const body = lines.slice(at + 2, end).map((line) => row(line, "td"));
  const whole = h("table", {}, h("thead", {}, row(lines[at], "th")), h("tbody", {}, body));
  return [h("div", { class: "scroll", tabindex: "0" }, whole), end];
}

const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());

function paragraph(lines, at, depth) {
  let end = at + 1;
  while (end < lines.length && lines[end].trim() && !(depth < DEEPEST && begins(lines[end]))) end += 1;
  const parts = lines.slice(at, end).flatMap((line, index) => [index ? h("br") : "", ...inline(line.trim())]);
  return [h("p", {}, parts), end];
}

// Each alternative is bounded, so that no text takes long, whatever it is.
const INLINE = new RegExp(
  [
    "(`{1,3})([^`]{1,2000})\\1",
    "!?\\[([^\\[\\]]{1,500})\\]\\(([^()\\s]{1,1000})(?:\\s+\"[^\"]{0,200}\")?\\)",
    "\\*\\*(?=\\S)([^*]{1,2000})\\*\\*",
    "(?<![\\w_])__(?=\\S)([^_]{1,2000})__(?![\\w_])",
    "~~(?=\\S)([^~]{1,2000})~~",
    "\\*(?=\\S)([^*]{1,2000})\\*",
    "(?<![\\w_])_(?=\\S)([^_]{1,2000})_(?![\\w_])",
    "(https?://[^\\s<>()\"'`*]{1,1000}[^\\s<>()\"'`*.,;:!?])",
    "\\\\([!-/:-@\\[-`{-~])",
  ].join("|"),
);

function inline(text, depth = 0) {
  const found = [];
  let rest = text;
  while (rest) {
    const match = depth < DEEPEST ? INLINE.exec(rest) : null;
    if (!match) return [...found, rest];
    found.push(rest.slice(0, match.index), piece(match, depth + 1));
    rest = rest.slice(match.index + match[0].length);
  }
  return found;
}

function piece([whole, , code, words, address, strong, strong2, gone, em, em2, url, escaped], depth) {
  if (code !== undefined) return h("code", {}, code.trim());
  if (address !== undefined) return link(address, words, whole, depth);
  if (url !== undefined) return link(url, url, whole, DEEPEST);
  if (escaped !== undefined) return escaped;
  if (gone !== undefined) return h("del", {}, inline(gone, depth));
  const stressed = strong ?? strong2;
  return stressed !== undefined ? h("strong", {}, inline(stressed, depth)) : h("em", {}, inline(em ?? em2, depth));
}

/** Words that hide where they lead are a trap: the address's host is said beside them. */
function link(address, words, whole, depth) {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (!url || !["http:", "https:", "mailto:"].includes(url.protocol)) return whole;
  const place = h("a", { href: url.href, rel: "noopener noreferrer nofollow", target: "_blank" }, inline(words, depth));
  const plain = words.includes(url.host || url.pathname);
  return plain ? place : h("span", {}, place, ` (${url.host || url.pathname})`);
}
