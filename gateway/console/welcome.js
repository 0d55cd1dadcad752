// Signing in: with an API key, as an operator, or with an invitation.

import { ApiError, call, send, signIn } from "./api.js";
import { copyable, el, form } from "./dom.js";

export async function welcome(done) {
  let kind = location.hash.includes("operator") ? "operator" : "client";
  const place = el("div", { class: "two", role: "tabpanel", id: "way-in" });
  const tabs = ["client", "operator"].map((name) =>
    el("button", { type: "button", role: "tab", id: `as-${name}`, "aria-controls": "way-in", on: { click: () => choose(name) } }, name === "client" ? "I build apps" : "I run nodes"));
  tabs.forEach((tab, at) => tab.addEventListener("keydown", (event) => {
    if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
    choose(at === 0 ? "operator" : "client");
    tabs[1 - at].focus();
  }));
  function choose(name) {
    kind = name;
    tabs.forEach((tab, at) => {
      const selected = (at === 0) === (kind === "client");
      tab.setAttribute("aria-selected", selected);
      tab.tabIndex = selected ? 0 : -1;
    });
    place.setAttribute("aria-labelledby", `as-${name}`);
    place.replaceChildren(...(kind === "client" ? [withKey(done)] : [withSecret(done), withInvitation(done)]));
  }
  choose(kind);
  return [
    el("div", {}, el("h1", {}, "Answers you can check."),
      el("p", { class: "lead" }, "Strangers’ machines write them, several at a time. What they agree on is compared, checked against the model itself, and only then paid for.")),
    el("div", { class: "tabs", role: "tablist", "aria-label": "Who are you" }, tabs),
    place,
  ];
}

function enter(session, done) {
  signIn(session);
  history.replaceState(null, "", `${location.pathname}${location.search}#/`);
  return done();
}

function withKey(done) {
  return form(async (fields) => {
    const key = fields.get("key").trim();
    const answer = await send("GET", "/v1/models", undefined, { authorization: `Bearer ${key}` });
    // A key that may not ask models may still look at its credit.
    if (!answer.ok && answer.status !== 403) throw await ApiError.of(answer);
    await enter({ kind: "client", key }, done);
  },
  el("h2", {}, "Sign in with an API key"),
  el("label", {}, "API key", el("input", { name: "key", type: "password", autocomplete: "off", placeholder: "ak-…", required: true })),
  el("button", {}, "Sign in"),
  el("p", { class: "hint" }, "The key stays in this tab and is gone when you close it."));
}

const operatorSession = (answer) => ({ kind: "operator", token: answer.token, refresh: answer.refresh_token, id: answer.operator_id });

function withSecret(done) {
  return form(async (fields) => {
    const answer = await call("POST", "/operator/v1/login", { secret: fields.get("secret").trim() });
    await enter(operatorSession(answer), done);
  },
  el("h2", {}, "Sign in"),
  el("label", {}, "Operator secret", el("input", { name: "secret", type: "password", autocomplete: "current-password", placeholder: "os-…", required: true })),
  el("button", {}, "Sign in"));
}

function withInvitation(done) {
  const node = form(async (fields) => {
    const answer = await call("POST", "/operator/v1/sign-up", { invitation: fields.get("invitation").trim(), name: fields.get("name").trim() });
    const title = el("h2", { tabindex: "-1" }, "You are in.");
    node.replaceWith(el("section", { class: "sheet" }, title,
      el("div", { class: "secret" }, "Keep this secret: it signs you in, and it is shown only now.", copyable(answer.secret, "Your secret")),
      el("button", { type: "button", on: { click: () => enter(operatorSession(answer.session), done) } }, "I kept it")));
    title.focus();
  },
  el("h2", {}, "Sign up with an invitation"),
  el("label", {}, "Invitation", el("input", { name: "invitation", autocomplete: "off", placeholder: "iv-…", required: true })),
  el("label", {}, "Your name", el("input", { name: "name", autocomplete: "organization", required: true, maxlength: "100" })),
  el("button", {}, "Sign up"));
  return node;
}
