// Tells the server when a person has had all of a question before them: its end was in view, nothing of it folded.

import { post } from "./api.js";

const told = new Set();

/** `end`: what stands below all of the question; `card`: {question, unreached, node}. */
export function watchOpened(end, card) {
  const observer = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && tell());
  card.node.addEventListener("reached", tell);
  observer.observe(end);

  function tell() {
    const { question } = card;
    if (card.unreached || question.outcome || !question.digest || document.hidden) return;
    observer.disconnect();
    const which = `${question.question_id} ${question.digest}`;
    if (told.has(which)) return;
    told.add(which);
    // Best effort: if it is lost, the next time that the card is shown tells it again.
    post(`/questions/${question.question_id}/opened`, { digest: question.digest }).catch(() => told.delete(which));
  }
}
