// Several approvals of one run, decided together: a line each, with an id, a digest and a policy of its own.

import { sendAnswer } from "./answer.js";
import { headlineOf, howOf } from "./call.js";
import { arrange, h, newId, write } from "./dom.js";
import { fromOutcome, headline } from "./outcome.js";
import { say } from "./speak.js";
import { shownOf } from "./words.js";

/** Whether a question can be decided in a batch: with a plain yes or no, without anything to be filled in. */
export const batches = (question) => question.kind === "approval" && ["approve", "reject"].every((action) => question.actions.includes(action));

/** The arguments in a line, to tell the calls apart; all of each stands in its card. */
function inShort(action) {
  const cut = (text) => ([...text].length > 60 ? `${[...text].slice(0, 59).join("")}…` : text);
  return Object.entries(action.arguments).map(([name, value]) => `${name}: ${cut(shownOf(action, name, value).replace(/\s+/g, " "))}`).join(" · ");
}

export class Batch {
  constructor(title) {
    this.lines = new Map();
    this.busy = false;
    this.list = h("ul", { class: "lines" });
    this.all = h("input", { type: "checkbox", id: newId("all") });
    this.reason = h("input", { type: "text", id: newId("reason") });
    this.wrong = h("p", { class: "problem", role: "alert", hidden: true });
    this.approve = h("button", { type: "button", class: "primary", onclick: () => this.decide("approve") });
    this.reject = h("button", { type: "button", class: "no", onclick: () => this.decide("reject") });
    const heading = h("h2", { id: newId("batch") }, title);
    this.node = h(
      "section",
      { class: "batch", "aria-labelledby": heading.id },
      heading,
      h("p", { class: "hint" }, "Decide several at once. Each stays a decision of its own; all of each stands below."),
      h("div", { class: "field check" }, this.all, h("label", { for: this.all.id }, "All that can be approved now")),
      this.list,
      h("div", { class: "words" }, h("label", { for: this.reason.id }, "A comment on each; to reject, the reason"), this.reason),
      this.wrong,
      h("div", { class: "row" }, this.approve, this.reject),
    );
    this.all.addEventListener("change", () => {
      for (const line of this.lines.values()) if (line.open && !line.box.disabled) line.box.checked = this.all.checked;
      this.count();
    });
  }

  /** Show these cards' questions. A new one comes unchecked; one that is known changes its own line only. */
  take(cards) {
    for (const card of cards) {
      if (!this.lines.has(card.id)) this.lines.set(card.id, this.line(card));
      const line = this.lines.get(card.id);
      if (line.digest !== card.question.digest) {
        line.box.checked = false;
        line.digest = card.question.digest;
      }
      this.look(line);
    }
    arrange(this.list, [...this.lines.values()].map((line) => line.node));
    this.count();
  }

  line(card) {
    const box = h("input", { type: "checkbox", id: newId("line"), onchange: () => this.count() });
    const about = h("label", { for: box.id });
    const on = h("div", { class: "soft" });
    const state = h("div", { class: "soft", role: "status" });
    card.node.addEventListener("reached", () => (this.look(line), this.count()));
    const line = { card, box, about, on, state, open: true, digest: card.question.digest, node: h("li", {}, box, h("div", {}, about, on, state)) };
    return line;
  }

  look(line) {
    const { question } = line.card;
    write(line.about, [headlineOf(question), question.action ? howOf(question.action) : ""].filter(Boolean).join(" · "));
    write(line.on, question.action ? inShort(question.action) : "");
    if (!line.open) return;
    const folded = line.card.unreached > 0;
    const told = question.viewer.response ? "You have answered it; more people are needed." : "";
    line.box.disabled = folded || Boolean(question.viewer.response);
    write(line.state, folded ? "Open its folded values below first." : told);
    if (line.box.disabled) line.box.checked = false;
  }

  /** It was settled, here or elsewhere. */
  settle(id, outcome) {
    const line = this.lines.get(id);
    if (!line?.open) return;
    line.open = false;
    line.box.checked = false;
    line.box.disabled = true;
    line.node.className = "done";
    write(line.state, headline(outcome, "approval"));
    this.count();
  }

  get chosen() {
    return [...this.lines.values()].filter((line) => line.open && line.box.checked);
  }

  count() {
    const open = [...this.lines.values()].filter((line) => line.open).length;
    const number = this.chosen.length;
    write(this.approve, `Approve ${number} of ${open}`);
    write(this.reject, `Reject ${number} of ${open}`);
    for (const each of [this.approve, this.reject]) each.setAttribute("aria-disabled", String(!number || this.busy));
    this.all.checked = number > 0 && number === open;
    this.all.indeterminate = number > 0 && number < open;
  }

  complain(why) {
    write(this.wrong, why);
    this.wrong.hidden = !why;
  }

  async decide(action) {
    const chosen = this.chosen;
    if (this.busy) return;
    const comment = this.reason.value.trim();
    if (!chosen.length) return this.complain("Check those that you mean first.");
    if (action === "reject" && !comment) {
      this.reason.focus();
      return this.complain("Please say why: the agents read it.");
    }
    this.complain("");
    this.busy = true;
    this.count();
    await Promise.all(chosen.map((line) => this.send(line, action, comment)));
    this.busy = false;
    this.reason.value = "";
    this.count();
    say(`${chosen.length} answered.`);
  }

  async send(line, action, comment) {
    line.box.checked = false;
    try {
      const answer = await sendAnswer(line.card.question, action, { comment });
      line.card.answered(answer);
      if (answer.status === "settled") this.settle(line.card.id, fromOutcome(answer));
    } catch (problem) {
      if (problem.outcome) {
        line.card.beaten(problem.outcome, []);
        return this.settle(line.card.id, fromOutcome(problem.outcome));
      }
      if (problem.code === "stale") line.card.outdated();
      write(line.state, problem.message);
    }
  }
}
