// The form in which a question is answered: buttons for what its kind allows, fields, an editor, and room for words.

import { post } from "./api.js";
import { Drafts } from "./drafts.js";
import { h, newId, write } from "./dom.js";
import { editorOf } from "./edit.js";
import { Field, complainAll } from "./fields.js";
import { receiptSent } from "./opened.js";
import { shown, spoken } from "./words.js";

const WORDS = {
  approval: "Add words (optional)",
  choice: "Add words (optional)",
  form: "Add words (optional); if you decline, why",
  review: "What should change, or a comment",
  text: "Your answer",
};
const GATE_WORDS = "A comment; to reject, the reason, which the agent reads";

/** Send an answer to a question as it was shown. `parts`: value, values, arguments, comment, override. */
export async function sendAnswer(question, action, parts = {}) {
  await receiptSent(question);
  return post(`/questions/${question.question_id}/answer`, { action, digest: question.digest || undefined, ...parts });
}

export class AnswerForm {
  /**
   * `card` has `described` (an id), `answered(answer)`, `beaten(problem)` (somebody else was first) and `outdated()`
   * (something else is asked by now), and says in `unreached` how many values nobody has opened yet.
   */
  constructor(question, card, { override = false } = {}) {
    this.question = question;
    this.card = card;
    this.override = override;
    this.drafts = new Drafts(question.question_id);
    this.busy = false;
    this.editor = null;
    this.fields = override ? [] : question.fields.map((field) => new Field(field, { typed: true }));
    this.words = h("textarea", { id: newId("words"), rows: question.kind === "text" ? 3 : 1, "aria-describedby": card.described });
    this.words.value = this.drafts.get("words") ?? "";
    this.wrong = h("p", { class: "problem", role: "alert", id: newId("wrong"), hidden: true });
    this.wait = h("p", { class: "hint" });
    this.editing = h("div", {});
    this.row = h("div", { class: "row" });
    this.node = h(
      "form",
      { class: "answer", novalidate: true },
      question.kind === "choice" && !override ? choices(question) : "",
      this.fields.length ? h("div", { class: "inputs" }, this.fields.map((field) => field.node)) : "",
      this.editing,
      h("div", { class: "words" }, h("label", { for: this.words.id }, this.wordsLabel()), this.words),
      this.wrong,
      this.wait,
      this.row,
    );
    this.restore();
    this.listen();
    this.showButtons();
    if (!override && this.drafts.get("edit")) this.edit(false);
    this.reach();
  }

  wordsLabel() {
    if (this.override) return "Why you decide this as an administrator (recorded)";
    return this.question.action ? GATE_WORDS : WORDS[this.question.kind] ?? "Add words (optional)";
  }

  restore() {
    const values = JSON.parse(this.drafts.get("values") ?? "{}");
    for (const field of this.fields) if (field.name in values) field.draft = values[field.name];
  }

  listen() {
    this.words.addEventListener("input", () => this.drafts.set("words", this.words.value));
    if (this.fields.length) {
      this.node.addEventListener("input", () => {
        this.drafts.set("values", JSON.stringify(Object.fromEntries(this.fields.map((field) => [field.name, field.draft]))));
      });
    }
    this.node.addEventListener("submit", (event) => {
      event.preventDefault();
      const pressed = event.submitter;
      if (pressed) this.press(pressed.dataset.action, pressed.dataset.value);
    });
    this.words.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && this.question.kind === "text") this.press("respond");
    });
  }

  showButtons() {
    this.row.replaceChildren(...this.buttons().filter(Boolean));
    this.reach();
  }

  buttons() {
    const { question } = this;
    const allows = (action) => question.actions.includes(action);
    if (this.override) {
      return [allows("approve") && button("Override: approve", "approve", "no"), allows("reject") && button("Override: reject", "reject", "no")];
    }
    if (this.editor) return [button("Approve with these changes", "edited", "primary"), button("Stop editing", "stop", "quiet")];
    const words = { approval: "Answer in words only", choice: "Answer in words only", review: "Request changes", text: "Send" };
    const look = { text: "primary", review: "" };
    return [
      allows("approve") && button("Approve", "approve", "primary"),
      allows("approve") && canEdit(question) && button("Edit and approve", "edit"),
      allows("submit") && button("Send", "submit", "primary"),
      allows("respond") && question.kind === "review" && button(words.review, "respond"),
      allows("reject") && button(question.kind === "form" ? "Decline" : "Reject", "reject", "no"),
      allows("respond") && question.kind !== "review" && button(words[question.kind] ?? "Answer in words only", "respond", look[question.kind] ?? "quiet"),
    ];
  }

  /** Approve waits until all that is folded was opened. */
  reach() {
    const left = this.card.unreached;
    write(this.wait, left ? `Open ${left === 1 ? "the folded value" : `all ${left} folded values`} above before you approve.` : "");
    this.wait.hidden = !left;
    for (const each of this.row.querySelectorAll("[data-action=approve], [data-action=edited]")) each.setAttribute("aria-disabled", String(left > 0 || this.busy));
  }

  press(action, value) {
    if (this.busy) return;
    if (action === "edit") return this.edit(true);
    if (action === "stop") return this.stopEditing();
    this.clearProblems();
    const words = this.words.value.trim();
    if (["approve", "edited"].includes(action) && this.card.unreached) return this.complain(this.wait.textContent);
    if (action === "respond" && !words) return this.complain("Please write your words first.", true);
    if (action === "reject" && this.question.action && !words) return this.complain("Please say why: the agent reads it.", true);
    if (this.override && !words) return this.complain("Please say why: an override is recorded and shown with its reason.", true);
    const parts = { comment: words, value, override: this.override || undefined };
    if (action === "submit") return this.send("submit", { ...parts, values: this.values() });
    if (action === "edited") return this.sendEdited(parts);
    return this.send(action, parts);
  }

  values() {
    const filled = this.fields.map((field) => [field.name, field.value]);
    return Object.fromEntries(filled.filter(([, value]) => value !== undefined));
  }

  sendEdited(parts) {
    try {
      const changed = this.editor.parts;
      if (!changed) return this.complain("Nothing is changed. Change something, or stop editing and approve it as it is.");
      return this.send("approve", { ...parts, ...changed });
    } catch {
      return this.complain("What stands in one of the fields is no JSON.");
    }
  }

  edit(focus) {
    this.editor = editorOf(this.question, this.drafts);
    this.editing.replaceChildren(this.editor.node);
    this.showButtons();
    if (focus) this.editor.focus();
  }

  stopEditing() {
    this.editor = null;
    this.drafts.set("edit", "");
    this.editing.replaceChildren();
    this.showButtons();
    this.row.querySelector("[data-action=edit]")?.focus();
  }

  async send(action, parts) {
    this.setBusy(true);
    try {
      const answer = await sendAnswer(this.question, action, parts);
      this.drafts.clear();
      this.card.answered(answer);
    } catch (problem) {
      this.refused(problem);
    } finally {
      this.setBusy(false);
    }
  }

  refused(problem) {
    if (problem.outcome) return this.card.beaten(problem.outcome, this.written());
    if (problem.code === "stale") this.card.outdated();
    const about = new Map(problem.errors?.map(({ field, reason }) => [field.replace(/^(values|arguments)\./, ""), reason]));
    const fields = this.editor?.fields ?? this.fields;
    if (!complainAll(fields, about)) this.complain(problem.message);
  }

  /** What was written here, to be kept when somebody else was first: pairs of a label and a text. */
  written() {
    const fields = [...this.fields, ...(this.editor?.fields ?? [])];
    const filled = fields.filter((field) => field.value !== undefined && field.value !== false).map((field) => [field.field.label || spoken(field.name), shown(field.value)]);
    const edited = this.editor?.text ? [["Your text", this.editor.text.value]] : [];
    return [...filled, ...edited, ["Your words", this.words.value.trim()]].filter(([, text]) => text);
  }

  clearProblems() {
    this.wrong.hidden = true;
    this.words.removeAttribute("aria-invalid");
    this.words.setAttribute("aria-describedby", this.card.described);
    for (const field of [...this.fields, ...(this.editor?.fields ?? [])]) field.complain("");
  }

  complain(why, aboutWords = false) {
    write(this.wrong, why);
    this.wrong.hidden = false;
    if (!aboutWords) return;
    this.words.setAttribute("aria-invalid", "true");
    this.words.setAttribute("aria-describedby", this.wrong.id);
    this.words.focus();
  }

  /** Not `disabled`: a button that is would lose the focus. */
  setBusy(now) {
    this.busy = now;
    for (const each of this.node.querySelectorAll("button[data-action]")) each.setAttribute("aria-disabled", String(now));
    this.reach();
  }
}

const button = (label, action, look = "", value = undefined) => h("button", { class: look, "data-action": action, "data-value": value }, label);

const canEdit = (question) => question.kind === "review" || Boolean(question.action?.editable.length);

function choices(question) {
  const options = question.options.map((option) => button(option.label, "choose", "", option.id));
  return h("div", { class: "options", role: "group", "aria-label": "Options" }, options);
}
