// The form in which a question is answered: buttons for what its kind allows, and room for words.

import { post } from "./api.js";
import { h, newId, write } from "./dom.js";

const WORDS = {
  approval: "Add words (optional)",
  choice: "Add words (optional)",
  review: "What should change, or a comment",
  text: "Your answer",
};

/** A form; `done(outcome)` is called when this or another answer counts, `refused(problem)` if none does. */
export function answerForm(question, described, done) {
  const words = h("textarea", { id: newId("words"), rows: question.kind === "text" ? 3 : 1, "aria-describedby": described });
  const wrong = h("p", { class: "problem", role: "alert", id: newId("wrong"), hidden: true });
  const draft = `draft:${question.question_id}`;
  words.value = sessionStorage.getItem(draft) ?? "";
  words.addEventListener("input", () => sessionStorage.setItem(draft, words.value));
  const form = h(
    "form",
    { class: "answer" },
    question.kind === "choice" ? choices(question, button) : "",
    h("div", { class: "words" }, h("label", { for: words.id }, WORDS[question.kind]), words),
    wrong,
    h("div", { class: "row" }, buttons(question.kind, button)),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const pressed = event.submitter;
    if (pressed) send(pressed.dataset.action, pressed.dataset.value);
  });
  words.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && question.kind === "text") send("respond");
  });
  let busy = false;

  function button(label, action, look = "", value = undefined) {
    return h("button", { class: look, "data-action": action, "data-value": value }, label);
  }

  async function send(action, value) {
    if (busy) return;
    if (action === "respond" && !words.value.trim()) return complain("Please write your words first.", true);
    setBusy(true);
    try {
      const shown = { digest: question.digest || undefined };
      const said = { action, value, comment: words.value.trim(), ...shown };
      const answer = await post(`/questions/${question.question_id}/answer`, said);
      sessionStorage.removeItem(draft);
      done(answer, true);
    } catch (problem) {
      if (problem.outcome) done(problem.outcome, false);
      else complain(problem.message, false);
    } finally {
      setBusy(false);
    }
  }

  function complain(why, aboutWords) {
    write(wrong, why);
    wrong.hidden = false;
    words.toggleAttribute("aria-invalid", false);
    if (!aboutWords) return;
    words.setAttribute("aria-invalid", "true");
    words.setAttribute("aria-describedby", wrong.id);
    words.focus();
  }

  /** Not `disabled`: a button that is would lose the focus. */
  function setBusy(now) {
    busy = now;
    for (const each of form.querySelectorAll("button")) each.setAttribute("aria-disabled", String(now));
  }

  return form;
}

function choices(question, button) {
  const options = question.options.map((option) => button(option.label, "choose", "", option.id));
  return h("div", { class: "options", role: "group", "aria-label": "Options" }, options);
}

function buttons(kind, button) {
  switch (kind) {
    case "approval":
      return [button("Approve", "approve", "primary"), button("Reject", "reject", "no"), button("Answer in words only", "respond", "quiet")];
    case "review":
      return [button("Approve", "approve", "primary"), button("Request changes", "respond"), button("Reject", "reject", "no")];
    case "choice":
      return [button("Answer in words only", "respond", "quiet")];
    default:
      return [button("Send", "respond", "primary")];
  }
}
