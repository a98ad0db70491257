// Tells the server when a person has had all of a question before them: its end was in view, nothing of it folded.

import { post } from "./api.js";

const receipts = new Map();
const version = (question) => `${question.question_id} ${question.digest}`;

/** Resolves when it was told, or failed: an answer waits for it. */
export const receiptSent = (question) => receipts.get(version(question));

/** `end`: what stands below all of the question; `card`: {question, unreached, node}. */
export function watchOpened(end, card) {
  const observer = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && tell());
  card.node.addEventListener("reached", tell);
  observer.observe(end);

  function tell() {
    const { question } = card;
    if (card.unreached || question.outcome || !question.digest || document.hidden) return;
    observer.disconnect();
    if (receiptSent(question)) return;
    const receipt = post(`/questions/${question.question_id}/opened`, { digest: question.digest });
    // Best effort: if it is lost, the next time that the card is shown tells it again.
    receipts.set(version(question), receipt.catch(() => receipts.delete(version(question))));
  }
}
