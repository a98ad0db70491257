// A control for each type of input that a crew can have.

import { h, newId, write } from "./dom.js";
import { spoken } from "./words.js";

const CONTROLS = {
  string: () => h("input", { type: "text" }),
  text: () => h("textarea", { rows: 4 }),
  integer: () => h("input", { type: "number", step: "1", inputmode: "numeric" }),
  number: () => h("input", { type: "number", step: "any", inputmode: "decimal" }),
  boolean: () => h("input", { type: "checkbox" }),
  date: () => h("input", { type: "date" }),
  choice: (field) => h("select", {}, [...(field.required && field.default !== null ? [] : [""]), ...field.choices].map((each) => h("option", { value: each }, each || "–"))),
};

/** One input: its element, its value (undefined: left out), and how to say what is wrong with it. */
export class Field {
  constructor(field) {
    this.name = field.name;
    this.control = (CONTROLS[field.type] ?? CONTROLS.string)(field);
    this.control.id = newId("input");
    this.control.name = field.name;
    this.isCheck = field.type === "boolean";
    if (field.required && !this.isCheck) this.control.required = true;
    if (this.isCheck) this.control.checked = field.default === true;
    else if (field.default !== null) this.control.value = String(field.default);
    this.hint = field.description ? h("p", { class: "hint", id: newId("hint") }, field.description) : null;
    this.wrong = h("p", { class: "wrong", id: newId("wrong"), hidden: true });
    this.describe();
    const optional = field.required || this.isCheck ? "" : h("span", { class: "optional" }, " (optional)");
    const label = h("label", { for: this.control.id }, spoken(field.name), optional);
    const parts = this.isCheck ? [this.control, label] : [label];
    this.node = h("div", { class: this.isCheck ? "field check" : "field" }, parts, this.hint, this.isCheck ? "" : this.control, this.wrong);
  }

  get value() {
    if (this.isCheck) return this.control.checked;
    return this.control.value.trim() ? this.control.value : undefined;
  }

  describe() {
    const ids = [this.hint?.id, this.wrong.hidden ? null : this.wrong.id].filter(Boolean).join(" ");
    if (ids) this.control.setAttribute("aria-describedby", ids);
    else this.control.removeAttribute("aria-describedby");
  }

  complain(why) {
    write(this.wrong, why);
    this.wrong.hidden = !why;
    if (why) this.control.setAttribute("aria-invalid", "true");
    else this.control.removeAttribute("aria-invalid");
    this.describe();
  }
}
