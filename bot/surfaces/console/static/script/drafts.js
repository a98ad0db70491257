// What was written and not sent yet, kept in this tab until the question is answered.

export class Drafts {
  constructor(questionId) {
    this.prefix = `draft:${questionId}:`;
  }

  get(part) {
    return sessionStorage.getItem(this.prefix + part);
  }

  set(part, text) {
    if (text) sessionStorage.setItem(this.prefix + part, text);
    else sessionStorage.removeItem(this.prefix + part);
  }

  clear() {
    for (const name of Object.keys(sessionStorage)) if (name.startsWith(this.prefix)) sessionStorage.removeItem(name);
  }
}
