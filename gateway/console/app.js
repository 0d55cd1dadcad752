// Which page is shown. The pages themselves: welcome.js, playground.js, client.js, operator.js, earnings.js, reputation.js.

import { call, signedIn, signIn } from "./api.js";
import { el, notice } from "./dom.js";
import { credit, usage } from "./client.js";
import { earnings } from "./earnings.js";
import { jobs, nodes } from "./operator.js";
import { playground } from "./playground.js";
import { reputation } from "./reputation.js";
import { welcome } from "./welcome.js";

const PAGES = {
  client: [["play", "Playground", playground], ["credit", "Credit", credit], ["usage", "Usage", usage]],
  operator: [["nodes", "Nodes", nodes], ["jobs", "Jobs", jobs], ["earnings", "Earnings", earnings], ["reputation", "Reputation", reputation]],
};

const view = document.getElementById("view");
let shown = 0;

async function show() {
  const session = signedIn();
  const pages = session ? PAGES[session.kind] : [];
  const [wanted] = location.hash.replace(/^#\/?/, "").split("?");
  // Stripe and its like send people back with a query, before the hash.
  const home = new URLSearchParams(location.search).has("top_up") && session?.kind === "client" ? "credit" : pages[0]?.[0];
  const page = pages.find(([name]) => name === wanted) ?? pages.find(([name]) => name === home);
  document.getElementById("leave").hidden = !session;
  document.getElementById("nav").replaceChildren(...pages.map(([name, title]) =>
    el("a", { href: `#/${name}`, "aria-current": page?.[0] === name ? "page" : null }, title)));
  document.title = page ? `${page[1]} · Assay` : "Assay";
  const number = ++shown;
  const stillHere = () => number === shown;
  view.setAttribute("aria-busy", "true");
  try {
    const content = await (page ? page[2](stillHere) : welcome(showAndFocus));
    if (!stillHere()) return;
    view.replaceChildren(...content);
  } catch (error) {
    // A session that has ended shows the way in by itself.
    if (!stillHere()) return;
    view.replaceChildren(el("h1", {}, page ? page[1] : "Assay"), el("p", { role: "alert" }, error.message),
      el("p", {}, el("button", { type: "button", on: { click: showAndFocus } }, "Try again")));
  }
  view.removeAttribute("aria-busy");
}

const showAndFocus = () => show().then(() => view.focus({ preventScroll: true }));

/** Back to the way in, where somebody of this kind comes in. */
function leave(kind) {
  signIn(null);
  history.replaceState(null, "", kind === "operator" ? "#/operator" : location.pathname);
  return showAndFocus();
}

addEventListener("session-ended", (event) => {
  notice("Your session has ended: sign in again.");
  leave(event.detail);
});
document.getElementById("leave").addEventListener("click", async () => {
  const kind = signedIn()?.kind;
  if (kind === "operator") await call("POST", "/operator/v1/logout").catch(() => null);
  leave(kind);
});

const dark = matchMedia("(prefers-color-scheme: dark)");
function theme() {
  document.documentElement.dataset.theme = localStorage.getItem("assay.theme") ?? (dark.matches ? "dark" : "light");
}
document.getElementById("theme").addEventListener("click", () => {
  localStorage.setItem("assay.theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  theme();
});
dark.addEventListener("change", theme);
theme();

addEventListener("hashchange", () => {
  showAndFocus();
  scrollTo(0, 0);
});
show();
