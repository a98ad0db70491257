// What is said to people who don't look: to screen readers, in the tab's title, and on the desktop.

import { visible } from "./visible.js";

const region = document.getElementById("speak");
const WANTED = "crewdeck-notify";

/** Say it to a screen reader, when it has finished what it is saying. */
export function say(words) {
  region.textContent = "";
  // Another turn, or the same words twice would be heard once.
  setTimeout(() => (region.textContent = visible(words)), 50);
}

let view = "";
let waiting = 0;

function retitle() {
  document.title = `${waiting ? `(${waiting}) ` : ""}${view ? `${view} · ` : ""}Crewdeck`;
}

export function titleOf(words) {
  view = words;
  retitle();
}

export function countWaiting(number) {
  waiting = number;
  retitle();
  const badge = document.getElementById("count");
  badge.hidden = !number;
  badge.textContent = number || "";
  badge.title = number ? `${number} ${number === 1 ? "waits" : "wait"} for you` : "";
}

/** Whether people could be told on their desktop, and are not yet. */
export const canNotify = () => "Notification" in window && Notification.permission !== "denied" && !notifies();

const notifies = () => "Notification" in window && Notification.permission === "granted" && localStorage.getItem(WANTED) === "yes";

/** Ask the browser to be allowed; resolves to whether it is. */
export async function wantNotifications() {
  const allowed = (await Notification.requestPermission()) === "granted";
  localStorage.setItem(WANTED, allowed ? "yes" : "no");
  return allowed;
}

/** A new question, while people look elsewhere. */
export function notify(title, question) {
  if (!notifies() || document.visibilityState === "visible") return;
  const shown = new Notification(visible(title), { body: visible(question.prompt), tag: question.question_id });
  shown.onclick = () => {
    window.focus();
    location.hash = "#/";
    shown.close();
  };
}
