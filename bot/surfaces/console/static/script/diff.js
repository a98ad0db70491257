// The difference of two texts, word by word; of long texts line by line.

import { h } from "./dom.js";

const WORDS = /\s+|[\p{L}\p{N}\p{M}_]+|[^\s\p{L}\p{N}\p{M}_]/gu;
const LINES = /[^\n]*\n|[^\n]+/g;
/** The most cells of a comparison: it takes time and memory in proportion to both lengths. */
const MOST_CELLS = 4_000_000;

/** Both texts as one element: what is gone in `del`, what is new in `ins`. */
export function difference(before, after) {
  const node = h("div", { class: "diff" });
  for (const [kind, text] of pieces(before, after)) node.append(kind === "same" ? h("span", {}, text) : h(kind, {}, text));
  return node;
}

/** Pairs of "same", "del" or "ins" and their text. */
export function pieces(before, after) {
  for (const unit of [WORDS, LINES]) {
    const [one, other] = [before.match(unit) ?? [], after.match(unit) ?? []];
    const head = commonHead(one, other);
    const tail = commonTail(one, other, head);
    const [left, right] = [one.slice(head, one.length - tail), other.slice(head, other.length - tail)];
    if (left.length * right.length > MOST_CELLS) continue;
    return joined([
      ...one.slice(0, head).map((each) => ["same", each]),
      ...compared(left, right),
      ...one.slice(one.length - tail).map((each) => ["same", each]),
    ]);
  }
  return joined([["del", before], ["ins", after]]);
}

function commonHead(one, other) {
  let at = 0;
  while (at < one.length && at < other.length && one[at] === other[at]) at += 1;
  return at;
}

function commonTail(one, other, head) {
  let at = 0;
  while (at < one.length - head && at < other.length - head && one.at(-1 - at) === other.at(-1 - at)) at += 1;
  return at;
}

/** By the longest common subsequence. */
function compared(one, other) {
  const width = other.length + 1;
  const longest = new Uint32Array((one.length + 1) * width);
  for (let i = one.length - 1; i >= 0; i -= 1) {
    for (let j = other.length - 1; j >= 0; j -= 1) {
      const at = i * width + j;
      longest[at] = one[i] === other[j] ? longest[at + width + 1] + 1 : Math.max(longest[at + width], longest[at + 1]);
    }
  }
  const found = [];
  let [i, j] = [0, 0];
  while (i < one.length || j < other.length) {
    if (i < one.length && j < other.length && one[i] === other[j]) {
      found.push(["same", one[i]]);
      [i, j] = [i + 1, j + 1];
    } else if (j >= other.length || (i < one.length && longest[(i + 1) * width + j] >= longest[i * width + j + 1])) {
      found.push(["del", one[i]]);
      i += 1;
    } else {
      found.push(["ins", other[j]]);
      j += 1;
    }
  }
  return found;
}

/** Neighbours of a kind as one, so that a change reads as one: what is gone stands before what is new. */
function joined(found) {
  const whole = [];
  let run = { del: "", ins: "" };
  const flush = () => {
    for (const kind of ["del", "ins"]) if (run[kind]) whole.push([kind, run[kind]]);
    run = { del: "", ins: "" };
  };
  for (const [kind, text] of found) {
    if (kind !== "same") run[kind] += text;
    else {
      flush();
      if (whole.at(-1)?.[0] === "same") whole.at(-1)[1] += text;
      else whole.push(["same", text]);
    }
  }
  flush();
  return whole;
}
