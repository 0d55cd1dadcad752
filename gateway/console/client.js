// A client's money: balance, payments, credit given back, what each request cost.

import { call, wishKey } from "./api.js";
import { again, amount, cents, credits, el, figure, form, notice, sentence, table, tag, when } from "./dom.js";
import { grown } from "./lists.js";
import { inShort } from "./verdict.js";

export async function credit(stillHere) {
  const query = new URLSearchParams(location.search);
  const back = query.get("top_up");
  if (back) history.replaceState(null, "", location.pathname + "#/credit");
  const returned = back ? await comeBack(back, query.has("cancelled"), stillHere) : null;
  const [balance, payments, refunds] = await Promise.all([
    call("GET", "/v1/credits"), grown("/v1/credits/top-ups", paid), grown("/v1/credits/refunds", refunded),
  ]);
  return [
    el("div", {}, el("h1", {}, "Credit"), el("p", { class: "lead" }, "One credit is one US dollar of stablecoin. You pay for verified answers only.")),
    returned,
    el("section", { class: "sheet", "aria-label": "Balance" }, el("dl", { class: "figures" },
      figure("Available", credits(balance.available_nano), true), figure("Held for running jobs", credits(balance.held_nano)))),
    el("div", { class: "two" }, topUp(), el("section", { class: "sheet" }, el("h2", {}, "Payments"), payments,
      refunds.querySelector("table") ? [el("h2", {}, "Refunds"), refunds] : null)),
  ].filter(Boolean);
}

const paid = (rows) => table("Payments", [["When"], ["Amount", true], ["State"], ["Next"]], rows.map((row) => [
  when(row.created_ms), cents(row.amount_cents), tag(row.state), next(row),
]), "None yet.");

const refunded = (rows) => table("Refunds", [["When"], ["Amount", true], ["State"], ["Why"]],
  rows.map((row) => [when(row.created_ms), cents(row.amount_cents), tag(row.state), row.reason]), "");

const LOOK_EACH_MS = 3000;
const LOOKS_MAX = 40;
const isOver = (row) => ["paid", "failed", "expired"].includes(row.state);

/** What became of the payment that somebody comes back from; asking settles it even if the provider's message was lost. */
async function comeBack(id, cancelled, stillHere) {
  const line = el("p", { class: "secret", role: "status" });
  const read = () => call("GET", `/v1/credits/top-ups/${encodeURIComponent(id)}`);
  try {
    const row = await read();
    line.textContent = outcome(row, cancelled);
    if (!cancelled && !isOver(row)) waitFor(read, stillHere);
  } catch (error) {
    line.textContent = `Your payment could not be looked up: ${error.message}`;
  }
  return line;
}

function waitFor(read, stillHere) {
  let looks = 0;
  const timer = setInterval(async () => {
    if (!stillHere() || ++looks > LOOKS_MAX) return clearInterval(timer);
    const row = await read().catch(() => null);
    if (!row || !isOver(row) || !stillHere()) return;
    clearInterval(timer);
    notice(outcome(row, false));
    again();
  }, LOOK_EACH_MS);
}

function outcome(row, cancelled) {
  if (row.state === "paid") return `Your payment of ${cents(row.amount_cents)} is credited.`;
  if (["failed", "expired"].includes(row.state)) return `Nothing was credited: ${row.reason || `the payment is ${row.state}`}.`;
  if (cancelled) return "You came back without paying. Nothing was charged.";
  return "Your payment is not confirmed yet; it is credited as soon as it is.";
}

function next(row) {
  if (row.url) return el("a", { href: row.url }, "Pay");
  if (row.refundable_cents > 0) return giveBack(row);
  return row.reason ? el("span", { class: "hint" }, row.reason) : "";
}

function topUp() {
  let key = wishKey();
  return form(async (fields) => {
    const wanted = amount(fields.get("amount"), 2);
    if (wanted === null) throw new Error("Write an amount in dollars: 5 or 12.50.");
    // The same key until there is a page, so that trying again asks for one payment; a new one after it is over.
    const ask = () => call("POST", "/v1/credits/checkout", { amount_cents: wanted }, { "idempotency-key": `${key}-${wanted}` });
    let row = await ask();
    if (!row.url) {
      key = wishKey();
      row = await ask();
    }
    if (!row.url) throw new Error(row.reason || "The payment provider gave no page. Try again.");
    location.assign(row.url);
  },
  el("h2", {}, "Top up"),
  el("label", {}, "Amount in US dollars", el("input", { name: "amount", inputmode: "decimal", autocomplete: "off", value: "10.00", required: true })),
  el("button", {}, "Pay with stablecoin"),
  el("p", { class: "hint" }, "You leave for the payment page and come back here. Unused credit can be given back to where it came from."));
}

function giveBack(row) {
  const key = wishKey();
  const button = el("button", { class: "quiet", type: "button", on: { click: async () => {
    button.disabled = true;
    try {
      await call("POST", "/v1/credits/refunds", { top_up_id: row.id, amount_cents: row.refundable_cents }, { "idempotency-key": key });
      notice(`${cents(row.refundable_cents)} is on its way back.`);
      again();
    } catch (error) {
      notice(error.message);
      button.disabled = false;
    }
  } } }, `Give ${cents(row.refundable_cents)} back`);
  return button;
}

export async function usage() {
  const requests = await grown("/v1/credits/requests", asked);
  return [
    el("div", {}, el("h1", {}, "Usage"), el("p", { class: "lead" }, "Every request of this account: what it cost, what came back, and how it was verified.")),
    el("section", { class: "sheet", "aria-label": "Requests of this account" }, requests),
  ];
}

const asked = (jobs) => table("Requests", [["When"], ["Model"], ["State"], ["Tokens", true], ["Cost", true], ["Verdict"]],
  jobs.map((job) => [when(job.created_ms), [job.model, el("span", { class: "hint" }, job.risk)], tag(job.state),
    `${job.prompt_tokens} in, ${job.completion_tokens} out`, credits(job.cost_nano),
    job.verdict ? inShort(job.verdict) : el("span", { class: "hint" }, sentence(job.reason))]),
  "No requests yet. The playground is a good place to start.");
