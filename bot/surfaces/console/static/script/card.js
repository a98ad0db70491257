// One question as a card: who asks what and why, in full; a form while it is open, then what was decided.

import { answerForm } from "./answer.js";
import { h, newId, write } from "./dom.js";
import { prose } from "./markdown.js";
import { fromOutcome, headline, outcomeNode } from "./outcome.js";
import { say } from "./speak.js";
import { KINDS, moment } from "./words.js";

const FLAGS = { ambiguity: "The crew finds this ambiguous.", missing_field: "The crew lacks something it needs." };

export class Card {
  /** `run`: {run_id, title} to lead there, or null on the run's own page. */
  constructor(question, run, { mine = true, full = false, level = "h2" } = {}) {
    this.id = question.question_id;
    this.question = question;
    this.settled = false;
    const prompt = h(level, { class: "prompt", id: newId("prompt") }, question.prompt);
    this.runLink = run ? h("a", { href: `#/runs/${question.run_id}` }, run.title) : null;
    this.foot = h("div", {});
    this.node = h(
      "article",
      { class: full ? "question full" : "question", "aria-labelledby": prompt.id },
      this.eyebrow(),
      prompt,
      question.context ? h("div", { class: "context" }, prose(question.context)) : "",
      flags(question),
      this.foot,
    );
    this.described = prompt.id;
    if (question.outcome) this.settle(fromOutcome(question.outcome));
    else this.setMine(mine);
  }

  eyebrow() {
    const { question } = this;
    const round = question.round ? ` · round ${question.round}` : "";
    return h(
      "p",
      { class: "eyebrow" },
      this.runLink,
      h("span", {}, (KINDS[question.kind] ?? "Question") + round),
      question.asker ? h("span", {}, question.asker) : "",
      moment(question.created_at, "asked "),
      question.deadline ? h("span", { class: "closes" }, moment(question.deadline, "closes ")) : "",
    );
  }

  /** The run's title, once it is known. */
  name(title) {
    if (this.runLink) write(this.runLink, title);
  }

  /** Whether whoever looks may answer. */
  setMine(mine) {
    if (this.settled || this.mine === mine) return;
    this.mine = mine;
    const form = () => answerForm(this.question, this.described, (outcome, ours) => this.answered(outcome, ours));
    this.foot.replaceChildren(mine ? form() : h("p", { class: "hint" }, "Waiting for somebody who may decide this."));
  }

  answered(outcome, ours) {
    const settled = fromOutcome(outcome);
    if (!ours) say(`This had been settled before: ${headline(settled, this.question.kind)}. Your answer was not counted.`);
    this.settle(settled, ours ? "" : "Your answer was not counted: this had been settled before.");
    this.node.dispatchEvent(new CustomEvent("answered", { bubbles: true, detail: this.id }));
  }

  /** Show what was decided instead of the form. Focus that was in the form stays in the card. */
  settle(outcome, note = "") {
    if (this.settled) return;
    this.settled = true;
    const focused = this.foot.contains(document.activeElement);
    const shown = outcomeNode(outcome, this.question.kind);
    this.foot.replaceChildren(shown, note ? h("p", { class: "hint" }, note) : "");
    this.node.classList.add("settled");
    if (focused) shown.focus({ preventScroll: true });
  }
}

function flags(question) {
  const said = Object.entries(FLAGS).filter(([flag]) => question.reason_flags?.[flag]).map(([, words]) => words);
  return said.length ? h("p", { class: "flags" }, said.join(" ")) : "";
}
