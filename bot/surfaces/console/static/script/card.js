// One question as a card: who asks what and why, in full; a form while it is open, then what was decided.

import { get } from "./api.js";
import { AnswerForm, sendAnswer } from "./answer.js";
import { CallNode, headlineOf, howOf } from "./call.js";
import { difference } from "./diff.js";
import { h, newId, write } from "./dom.js";
import { prose } from "./markdown.js";
import { watchOpened } from "./opened.js";
import { fromOutcome, headline, outcomeNode } from "./outcome.js";
import { policyLine, progressLine, whoDecides, whyNot } from "./policy.js";
import { say } from "./speak.js";
import { KINDS, clock, decided, moment } from "./words.js";

const FLAGS = { ambiguity: "The crew finds this ambiguous.", missing_field: "The crew lacks something it needs." };

/** Events: `answered` (bubbles; detail: the question's id), when an answer of ours counts or its outcome is known. */
export class Card {
  /** `run`: {run_id, title} to lead there, or null on the run's own page. */
  constructor(question, run, { full = false, level = "h2" } = {}) {
    this.id = question.question_id;
    this.settled = false;
    this.call = null;
    this.form = null;
    this.note = "";
    this.run = run;
    this.runLink = run ? h("a", { href: `#/runs/${question.run_id}` }, run.title) : null;
    this.prompt = h(level, { class: "prompt", id: newId("prompt") });
    this.described = this.prompt.id;
    this.top = h("div", { class: "top" });
    this.progress = h("div", {});
    this.foot = h("div", { class: "foot" });
    // Last, so that what decides comes before it for the keyboard.
    const record = h("p", { class: "recordlink" }, h("a", { href: `#/record/${this.id}` }, "Record"));
    this.node = h("article", { class: full ? "question full" : "question", "aria-labelledby": this.prompt.id }, this.top, this.progress, this.foot, record);
    this.show(question);
  }

  /** How many values nobody has opened yet. */
  get unreached() {
    return this.call?.unreached ?? 0;
  }

  // ── what is asked ──────────────────────────────────────────────────────────────────────────────────────

  show(question) {
    this.question = question;
    write(this.prompt, headlineOf(question));
    const { action } = question;
    this.call = action ? new CallNode(action, () => this.reached()) : null;
    this.top.replaceChildren(
      this.eyebrow(),
      this.prompt,
      ...[
        action ? h("p", { class: "how" }, howOf(action)) : "",
        action && action.title && action.title !== question.prompt ? h("div", { class: "context" }, prose(question.prompt)) : "",
        this.call?.node ?? "",
        this.edited(),
        question.context ? h("div", { class: "context" }, prose(question.context)) : "",
        flags(question),
        policyLine(question.policy),
      ].filter(Boolean),
    );
    this.showProgress();
    if (question.outcome) this.settle(fromOutcome(question.outcome));
    else this.showFoot();
  }

  eyebrow() {
    const { question } = this;
    const round = question.round ? ` · round ${question.round}` : "";
    return h(
      "p",
      { class: "eyebrow" },
      this.runLink,
      h("span", {}, (question.action ? "Approval of a tool call" : KINDS[question.kind] ?? "Question") + round),
      question.asker ? h("span", {}, question.asker) : "",
      moment(question.created_at, "asked "),
      question.deadline ? h("span", { class: "closes" }, moment(question.deadline, "closes ")) : "",
    );
  }

  /** What somebody changed in a review's text. */
  edited() {
    const { question } = this;
    if (question.proposed === null || question.proposed === undefined) return "";
    return h("details", { class: "changed", open: true }, h("summary", {}, "What was edited"), difference(question.proposed, question.context));
  }

  showProgress() {
    this.progress.replaceChildren(progressLine(this.question));
  }

  /** The run's title, once it is known. */
  name(title) {
    if (this.runLink) write(this.runLink, title);
  }

  // ── what whoever looks may do ──────────────────────────────────────────────────────────────────────────

  showFoot() {
    const { viewer } = this.question;
    this.form = null;
    const parts = [];
    if (viewer.can_answer && viewer.response) parts.push(this.mine(viewer.response));
    else if (viewer.can_answer) parts.push(this.openForm());
    else parts.push(h("p", { class: "hint" }, whyNot(this.question)));
    if (viewer.can_override) parts.push(this.overriding());
    const note = this.note ? h("p", { class: "note", role: "status" }, this.note) : "";
    this.foot.replaceChildren(...[note, ...parts].filter(Boolean));
    watchOpened(this.foot, this);
  }

  openForm(options = {}) {
    this.form = new AnswerForm(this.question, this, options);
    return this.form.node;
  }

  reached() {
    this.form?.reach();
    this.node.dispatchEvent(new CustomEvent("reached", { bubbles: true }));
  }

  /** What I have said, while more people are needed. */
  mine(response) {
    const what = decided(response.action, this.question.kind)?.toLowerCase() ?? response.action;
    const words = h("p", { class: "yours" }, `You ${what === "rejected" || what === "approved" ? what : `answered (${what})`} this at ${clock(response.at)}.`);
    const back = h("button", { type: "button", onclick: () => this.withdraw(back) }, "Take back");
    const other = h("button", { type: "button", class: "quiet", onclick: () => this.foot.replaceChildren(this.openForm()) }, "Answer otherwise");
    const wrong = h("p", { class: "problem", role: "alert", hidden: true });
    this.complaint = wrong;
    return h("div", { class: "answer" }, words, wrong, h("div", { class: "row" }, back, other));
  }

  async withdraw(button) {
    button.setAttribute("aria-disabled", "true");
    try {
      await sendAnswer(this.question, "withdraw");
      say("Your answer is taken back.");
      await this.refresh();
    } catch (problem) {
      if (problem.outcome) return this.beaten(problem.outcome, []);
      write(this.complaint, problem.message);
      this.complaint.hidden = false;
    } finally {
      button.setAttribute("aria-disabled", "false");
    }
  }

  /** An administrator decides: a step of its own, behind a warning, with a reason. */
  overriding() {
    const { policy, viewer } = this.question;
    const why = viewer.objection ? "The policy doesn't name you" : "You are not enough for the policy";
    const body = h("div", {});
    const details = h(
      "details",
      { class: "override" },
      h("summary", {}, "Decide as an administrator"),
      h("p", {}, `${why}${policy ? `: ${whoDecides(policy).toLowerCase()}` : ""}. If you decide all the same, that settles it at once, and is recorded and shown to everybody as an override.`),
      body,
    );
    details.addEventListener("toggle", () => {
      if (details.open && !body.hasChildNodes()) body.append(this.openForm({ override: true }));
    });
    return details;
  }

  // ── what becomes of it ─────────────────────────────────────────────────────────────────────────────────

  /** An answer of ours counts. */
  answered(answer) {
    if (answer.status === "recorded") return this.recorded(answer);
    this.settle(fromOutcome(answer));
    this.tell();
  }

  recorded(answer) {
    const { approved, need } = answer.progress;
    this.note = answer.repeated ? "You already approved this: it counts once." : "";
    say(answer.repeated ? this.note : `Your answer counts: ${approved} of ${need}.`);
    this.refresh().then(() => this.tell());
  }

  /** Somebody else was first. What was written here stays to be read and copied. */
  beaten(outcome, written) {
    const settled = fromOutcome(outcome);
    say(`This had been settled before: ${headline(settled, this.question.kind)}. Your answer was not counted.`);
    this.settle(settled, "Your answer was not counted: this had been settled before.", written);
    this.tell();
  }

  tell() {
    this.node.dispatchEvent(new CustomEvent("answered", { bubbles: true, detail: this.id }));
  }

  /** Something else is asked by now. */
  outdated() {
    this.refresh("What is asked has changed since it was shown to you. Look at it again, then decide.");
  }

  /** Read it again: others answered, or edited what is asked. */
  async refresh(note = "") {
    const question = await get(`/questions/${this.id}`);
    this.update(question, note);
  }

  /** Show the question as it is now. What is being written stays unless something else is asked. */
  update(question, note = "") {
    if (this.settled) return;
    const before = this.question;
    const changed = before.digest !== question.digest;
    const now = JSON.stringify(question.viewer);
    if (changed) this.note = note || "What is asked was edited: earlier approvals no longer count.";
    if (question.outcome || changed) return this.show(question);
    this.question = question;
    this.showProgress();
    if (JSON.stringify(before.viewer) !== now) this.showFoot();
    else if (this.form) this.form.question = question;
  }

  /** Show what was decided instead of the form. Focus that was in the form stays in the card. */
  settle(outcome, note = "", written = null) {
    if (this.settled) return;
    this.settled = true;
    const kept = written ?? (this.form && !this.form.busy ? this.form.written() : []);
    const focused = this.foot.contains(document.activeElement);
    const shown = outcomeNode(outcome, this.question);
    this.foot.replaceChildren(...[shown, note ? h("p", { class: "hint" }, note) : "", keptNode(kept)].filter(Boolean));
    this.progress.replaceChildren();
    this.form = null;
    this.node.classList.add("settled");
    if (focused) shown.focus({ preventScroll: true });
  }
}

function keptNode(written) {
  if (!written.length) return "";
  const rows = written.flatMap(([label, text]) => [h("dt", {}, label), h("dd", {}, h("div", { class: "value" }, text))]);
  return h("details", { class: "kept", open: true }, h("summary", {}, "What you had written, and was not sent"), h("dl", { class: "arguments" }, rows));
}

function flags(question) {
  const told = Object.entries(FLAGS).filter(([flag]) => question.reason_flags?.[flag]).map(([, words]) => words);
  return told.length ? h("p", { class: "flags" }, told.join(" ")) : "";
}
