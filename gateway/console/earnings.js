// An operator's money: what was earned, what of it can be taken out, and where it goes.

import { call, wishKey } from "./api.js";
import { grown } from "./lists.js";
import { again, amount, credits, decimal, el, figure, form, notice, sentence, table, tag, when } from "./dom.js";

export async function earnings() {
  const [sums, me, withdrawals] = await Promise.all([
    call("GET", "/operator/v1/earnings"), call("GET", "/operator/v1/me"), grown("/operator/v1/withdrawals", taken),
  ]);
  return [
    el("div", {}, el("h1", {}, "Earnings"), el("p", { class: "lead" }, matures(sums))),
    el("section", { class: "sheet", "aria-label": "Earnings" }, el("dl", { class: "figures" },
      figure("Available", credits(sums.available_nano), true), figure("Maturing", credits(sums.maturing_nano)),
      figure("Jobs running", String(sums.pending_jobs)), figure("Withdrawn", credits(sums.withdrawn_nano)),
      figure("From granted credit", credits(sums.promotional_nano)), figure("Earned in all", credits(sums.earned_nano)),
      sums.forfeited_nano > 0 ? figure("Forfeited", credits(sums.forfeited_nano)) : null),
      sums.promotional_nano > 0 ? el("p", { class: "hint" }, "What clients pay with granted credit counts for your record, but nobody paid money for it, so it cannot be taken out.") : null),
    el("div", { class: "two" }, withdraw(sums, me), address(me)),
    el("section", { class: "sheet" }, el("h2", {}, "Withdrawals"), withdrawals),
  ];
}

const taken = (rows) => table("Withdrawals", [["When"], ["Amount", true], ["State"], ["To"], ["Next"]], rows.map((row) => [
  when(row.created_ms), credits(row.amount_nano), tag(row.state), [el("span", { class: "mono", title: row.address }, `${row.address.slice(0, 6)}…${row.address.slice(-4)}`), el("span", { class: "hint" }, row.reference ?? sentence(row.reason))],
  ["awaiting_approval", "approved"].includes(row.state) ? callOff(row) : "",
]), "None yet.");

function matures(sums) {
  const hours = Math.round(sums.pay_matures_ms / 3_600_000);
  const after = [
    sums.pay_matures_ms > 0 ? (hours >= 1 ? `${hours} hours after the job` : "soon after the job") : null,
    sums.pay_matures_jobs > 0 ? `once ${sums.pay_matures_jobs} later jobs of the same node were checked and passed` : null,
  ].filter(Boolean);
  return `Pay is yours ${after.length ? after.join(", and ") : "at once"}.`;
}

function withdraw(sums, me) {
  const key = wishKey();
  // USDC has six decimals; what is finer stays.
  const whole = decimal(sums.available_nano - (sums.available_nano % 1000));
  const cools = me.next_payout_address;
  const least = `At least ${credits(sums.withdrawal_min_nano)}. ${me.rail === "demo" ? "This is a demo: no money moves." : "Paid in USDC by whoever runs this gateway."}`;
  return form(async (fields) => {
    const wanted = amount(fields.get("amount"), 6);
    if (wanted === null) throw new Error("Write an amount with at most six decimals: 5 or 0.25.");
    const row = await call("POST", "/operator/v1/withdrawals", { amount_nano: wanted * 1000 }, { "idempotency-key": `${key}-${wanted}` });
    notice(row.state === "sent" ? "Sent." : row.state === "failed" ? row.reason : "It is on its way.");
    again();
  },
  el("h2", {}, "Take out"),
  el("label", {}, "Credits", el("input", { name: "amount", inputmode: "decimal", autocomplete: "off", value: whole, required: true })),
  el("button", { disabled: !me.payout_address || cools }, "Withdraw"),
  el("p", { class: "hint" }, cools ? `Not before ${when(cools.usable_ms)}, when the new address counts.` : me.payout_address ? least : "Set a payout address first."));
}

function address(me) {
  const cools = me.next_payout_address;
  return form(async (fields) => {
    await call("PUT", "/operator/v1/payout-address", { address: fields.get("address").trim() });
    again();
  },
  el("h2", {}, "Payout address"),
  el("label", {}, "USDC account", el("input", { name: "address", class: "mono", autocomplete: "off", spellcheck: "false", placeholder: "0x…", value: cools?.address ?? me.payout_address ?? "", required: true })),
  el("button", { class: "second" }, "Set address"),
  el("p", { class: "hint" }, cools ? `The new address counts from ${when(cools.usable_ms)}. Until then you can ask for no withdrawal; those under way go where they were to go.`
    : "A changed address counts after a waiting time, so that a stolen session cannot empty your account unseen."));
}

function callOff(row) {
  return el("button", { class: "quiet", type: "button", on: { click: async () => {
    await call("POST", `/operator/v1/withdrawals/${row.id}/cancel`).then(() => notice("Called off: it is yours to take out again."), (error) => notice(error.message));
    again();
  } } }, "Call off");
}
