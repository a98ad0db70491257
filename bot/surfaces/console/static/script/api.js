// The HTTP API, as every client uses it.

import { parse, stringify } from "./exact.js";

/** What the API answered instead of what was asked for; `code` is stable. */
export class Problem extends Error {
  constructor(body, status) {
    super(body.detail ?? "Something went wrong.");
    this.code = body.code ?? "";
    this.status = status;
    this.errors = body.errors ?? [];
    this.outcome = body.outcome ?? null;
  }
}

const AWAY = { code: "away", detail: "The server does not answer just now. Nothing is lost: please try again." };

async function request(path, options) {
  const response = await fetch(path, options).catch(() => {
    throw new Problem(AWAY, 0);
  });
  const answer = await response.text().then(parse).catch(() => ({}));
  if (response.ok) return answer;
  if (response.status === 401) signIn();
  throw new Problem(answer, response.status);
}

let leaving = false;

/** Go to the page where people sign in, once, however many requests are refused at the same time. */
export function signIn() {
  if (leaving) return;
  leaving = true;
  const ended = sessionStorage.getItem("signed-in") ? "?ended" : "";
  sessionStorage.removeItem("signed-in");
  if (location.hash.length > 2) sessionStorage.setItem("wanted", location.hash);
  location.replace(`/console/sign-in${ended}`);
}

/** Once somebody is signed in, show what they wanted to look at before. */
export function signedIn() {
  sessionStorage.setItem("signed-in", "yes");
  const wanted = sessionStorage.getItem("wanted");
  sessionStorage.removeItem("wanted");
  if (wanted && !location.hash) history.replaceState(null, "", wanted);
}

/** Somebody leaves by themselves: that requests are refused from now on ends no session of theirs. */
export function signsOut() {
  leaving = true;
  sessionStorage.removeItem("signed-in");
}

/** Upload a file for an input; its id is the input's value for an hour. */
export async function upload(file) {
  const answer = await request(`/files?${new URLSearchParams({ name: file.name })}`, { method: "POST", headers: { "Content-Type": "application/octet-stream" }, body: file });
  return answer.file_id;
}

export const get = (path) => request(path);
export const post = (path, body, headers) =>
  request(path, { method: "POST", headers: body ? { ...headers, "Content-Type": "application/json" } : headers, body: body && stringify(body) });
export const del = (path) => request(path, { method: "DELETE" });
