// A tool call that waits for an approval: what, on what, as whom; then every argument by name.

import { difference } from "./diff.js";
import { h, newId } from "./dom.js";
import { same } from "./exact.js";
import { shownOf } from "./words.js";

/** Longer values are folded; Approve waits until they have been opened. */
const LONGEST = 600;
const MOST_LINES = 12;

/** The first line of a question, as its heading says it. */
export const headlineOf = (question) => question.action?.title || question.prompt;

/** "with the tool send_money · as the app". */
export const howOf = (action) => [`with the tool ${action.tool}`, action.on_behalf].filter(Boolean).join(" · ");

/** The call as an element. `reached()` is called whenever `unreached` has become less. */
export class CallNode {
  constructor(action, reached = () => {}) {
    this.reached = reached;
    /** How many values nobody has opened yet. */
    this.unreached = 0;
    this.node = h("div", { class: "call" }, h("dl", { class: "arguments" }, this.rows(action)));
  }

  rows(action) {
    const plain = Object.entries(action.arguments).flatMap(([name, value]) => [
      h("dt", {}, h("code", {}, name)),
      h("dd", {}, this.value(shownOf(action, name, value)), changed(action, name)),
    ]);
    const secret = action.secret.flatMap((name) => [
      h("dt", {}, h("code", {}, name)),
      h("dd", { class: "secret" }, "Secret: not shown to anybody. An approval covers it."),
    ]);
    return [...plain, ...secret].length ? [...plain, ...secret] : h("dd", {}, "It takes no arguments.");
  }

  value(text) {
    if (text.length <= LONGEST && text.split("\n").length <= MOST_LINES) return h("div", { class: "value" }, text);
    return this.folded(text);
  }

  folded(text) {
    this.unreached += 1;
    const whole = h("div", { class: "value", id: newId("value"), hidden: true }, text);
    const start = h("div", { class: "value" }, `${[...text].slice(0, 200).join("")}…`);
    const label = `Show all of it (${[...text].length.toLocaleString()} characters)`;
    const button = h("button", { type: "button", class: "quiet", "aria-expanded": "false", "aria-controls": whole.id }, label);
    let opened = false;
    button.addEventListener("click", () => {
      whole.hidden = !whole.hidden;
      start.hidden = !whole.hidden;
      button.setAttribute("aria-expanded", String(!whole.hidden));
      button.textContent = whole.hidden ? label : "Show less";
      if (!opened) {
        opened = true;
        this.unreached -= 1;
        this.reached();
      }
    });
    return h("div", {}, start, whole, button);
  }
}

function changed(action, name) {
  const [before, after] = [action.proposed?.[name], action.arguments[name]];
  if (action.proposed === undefined || same(before, after)) return "";
  return h("div", { class: "changed" }, h("span", { class: "soft" }, "Edited: "), difference(shownOf(action, name, before), shownOf(action, name, after)));
}
