// An operator's pages: nodes, jobs, earnings and withdrawals, reputation.

import { call } from "./api.js";
import { amount, credits, el, figure, form, notice, table, tag, when } from "./dom.js";

const again = () => dispatchEvent(new HashChangeEvent("hashchange"));
const short = (id) => el("span", { class: "mono", title: id }, id.slice(-8));

/** Looks again every few seconds as long as the page is shown. */
function live(stillHere, look) {
  const timer = setInterval(async () => {
    if (!stillHere()) return clearInterval(timer);
    if (!document.hidden) await look().catch(() => null);
  }, 3000);
}

export async function nodes(stillHere) {
  const list = el("section", { class: "two", "aria-label": "Nodes" });
  const look = async () => {
    const rows = (await call("GET", "/operator/v1/nodes")).data;
    list.replaceChildren(...(rows.length ? rows.map(card) : [el("p", { class: "hint" }, "No nodes yet. Make a token and enrol your first machine.")]));
  };
  await look();
  live(stillHere, look);
  return [
    el("div", {}, el("h1", {}, "Nodes"), el("p", { class: "lead" }, "Where each of your machines stands, and why it gets jobs or none right now.")),
    list, enrolment(),
  ];
}

function card(node) {
  const models = node.serves.map((served) => `${served.model}${served.matches_manifest ? "" : " (not hosted here)"}`).join(", ");
  return el("article", { class: "sheet" },
    el("div", { class: "between" }, el("h2", {}, node.name), tag(node.state)),
    el("p", {}, node.jobs_now.meaning),
    el("p", { class: "hint" }, node.gets_jobs ? node.reason : `${node.reason ? `${node.reason}. ` : ""}${node.jobs_now.remedy}`),
    el("dl", { class: "pairs" },
      el("dt", {}, "Serves"), el("dd", {}, models || "nothing"),
      el("dt", {}, "Running now"), el("dd", {}, `${node.jobs_running} job${node.jobs_running === 1 ? "" : "s"}`),
      node.performance ? [el("dt", {}, "Speed"), el("dd", {}, `${Math.round(node.performance.ms_per_token)} ms a token, ${Math.round(node.performance.first_token_ms)} ms to the first`),
        el("dt", {}, "Reliability"), el("dd", {}, `${(node.performance.reliability * 100).toFixed(1)} %`)] : null,
      el("dt", {}, "Node"), el("dd", { class: "mono" }, node.id)));
}

function enrolment() {
  const node = form(async () => {
    const token = await call("POST", "/operator/v1/enrolment-tokens", {});
    node.replaceWith(el("section", { class: "sheet" }, el("h2", {}, "Enrol a machine"),
      el("p", { class: "hint" }, `On the machine, before ${when(token.expires_ms)}. The token is good for one node and is shown only now.`),
      el("pre", {}, el("code", {}, `node-agent enrol --gateway ${location.origin} --token ${token.token}\nnode-agent run --model MODEL_FOLDER`))));
  },
  el("h2", {}, "Enrol a machine"),
  el("p", { class: "hint" }, "It connects out, so it works behind a home router. Nobody connects to it."),
  el("button", {}, "Make an enrolment token"));
  return node;
}

export async function jobs(stillHere) {
  const list = el("section", { class: "sheet" });
  const filter = el("select", { "aria-label": "Which jobs" }, el("option", { value: "" }, "All jobs"), el("option", { value: "&pay=paid" }, "Paid"), el("option", { value: "&pay=unpaid" }, "Not paid"));
  let seen = "";
  const look = async () => {
    const rows = (await call("GET", `/operator/v1/jobs?limit=50${filter.value}`)).data;
    const now = JSON.stringify(rows) + filter.value;
    // What somebody is reading stays as it is until there is news.
    if (now === seen) return;
    seen = now;
    list.replaceChildren(table("Jobs of your nodes", [["When"], ["Job"], ["Outcome"], ["Tokens", true], ["Pay", true]], rows.map(part),
      "No jobs yet. They come as soon as somebody asks for a model that your nodes serve."));
  };
  filter.addEventListener("change", look);
  await look();
  live(stillHere, look);
  return [
    el("div", { class: "between" }, el("div", {}, el("h1", {}, "Jobs"), el("p", { class: "lead" }, "Every part that your nodes had in a job: paid or not, why, and what that rests on.")),
      el("div", {}, filter)),
    list,
  ];
}

function part(row) {
  return [
    when(row.ended_ms), [short(row.job_id), el("span", { class: "hint" }, row.role === "score" ? "scored others" : row.model)],
    [tag(row.outcome), el("span", { class: "hint" }, row.reason),
      el("details", {}, el("summary", {}, row.pay_nano > 0 ? "Evidence" : "Why, and the evidence"),
        el("p", { class: "hint" }, `${row.meaning} ${row.remedy === "Nothing." ? "" : row.remedy}`),
        el("pre", { tabindex: "0" }, JSON.stringify(row.evidence, null, 2)))],
    String(row.tokens), credits(row.pay_nano),
  ];
}

export async function earnings() {
  const [sums, me, withdrawals] = await Promise.all([
    call("GET", "/operator/v1/earnings"), call("GET", "/operator/v1/me"), call("GET", "/operator/v1/withdrawals?limit=20"),
  ]);
  const hours = Math.round(sums.pay_matures_ms / 3_600_000);
  const matures = sums.pay_matures_ms || sums.pay_matures_jobs
    ? `Pay is yours ${hours >= 1 ? `${hours} hours` : "soon"} after the job${sums.pay_matures_jobs ? `, and once ${sums.pay_matures_jobs} later jobs of the same node were checked and passed` : ""}.`
    : "Pay is yours at once.";
  return [
    el("div", {}, el("h1", {}, "Earnings"), el("p", { class: "lead" }, matures)),
    el("section", { class: "sheet", "aria-label": "Earnings" }, el("dl", { class: "figures" },
      figure("Available", credits(sums.available_nano), true), figure("Maturing", credits(sums.maturing_nano)),
      figure("Jobs running", String(sums.pending_jobs)), figure("Withdrawn", credits(sums.withdrawn_nano)),
      figure("From granted credit", credits(sums.promotional_nano)), figure("Earned in all", credits(sums.earned_nano)),
      sums.forfeited_nano > 0 ? figure("Forfeited", credits(sums.forfeited_nano)) : null),
      sums.promotional_nano > 0 ? el("p", { class: "hint" }, "What clients pay with granted credit counts for your record, but nobody paid money for it, so it cannot be taken out.") : null),
    el("div", { class: "two" }, withdraw(sums, me), address(me)),
    el("section", { class: "sheet" }, el("h2", {}, "Withdrawals"),
      table("Withdrawals", [["When"], ["Amount", true], ["State"], ["To"], [""]], withdrawals.data.map((row) => [
        when(row.created_ms), credits(row.amount_nano), tag(row.state), [el("span", { class: "mono", title: row.address }, `${row.address.slice(0, 6)}…${row.address.slice(-4)}`), el("span", { class: "hint" }, row.reference ?? row.reason)],
        ["awaiting_approval", "approved"].includes(row.state) ? callOff(row) : "",
      ]), "None yet.")),
  ];
}

function withdraw(sums, me) {
  const key = crypto.randomUUID();
  // USDC has six decimals; what is finer stays.
  const whole = credits(sums.available_nano - (sums.available_nano % 1000));
  return form(async (fields) => {
    const wanted = amount(fields.get("amount"), 6);
    if (wanted === null) throw new Error("Write an amount with at most six decimals: 5 or 0.25.");
    const row = await call("POST", "/operator/v1/withdrawals", { amount_nano: wanted * 1000 }, { "idempotency-key": `${key}-${wanted}` });
    notice(row.state === "sent" ? "Sent." : row.state === "failed" ? row.reason : "It is on its way.");
    again();
  },
  el("h2", {}, "Take out"),
  el("label", {}, "Credits", el("input", { name: "amount", inputmode: "decimal", autocomplete: "off", value: whole, required: true })),
  el("button", { disabled: !me.payout_address }, "Withdraw"),
  el("p", { class: "hint" }, me.payout_address ? `At least ${credits(sums.withdrawal_min_nano)}. ${me.rail === "demo" ? "This is a demo: no money moves." : "Paid in USDC by whoever runs this gateway."}` : "Set a payout address first."));
}

function address(me) {
  return form(async (fields) => {
    await call("PUT", "/operator/v1/payout-address", { address: fields.get("address").trim() });
    again();
  },
  el("h2", {}, "Payout address"),
  el("label", {}, "USDC account", el("input", { name: "address", class: "mono", autocomplete: "off", spellcheck: "false", placeholder: "0x…", value: me.next_payout_address?.address ?? me.payout_address ?? "", required: true })),
  el("button", { class: "second" }, "Set address"),
  el("p", { class: "hint" }, me.next_payout_address ? `The new address counts from ${when(me.next_payout_address.usable_ms)}; until then nothing is paid out.` : "A changed address counts after a waiting time, so that a stolen session cannot empty your account unseen."));
}

function callOff(row) {
  return el("button", { class: "quiet", type: "button", on: { click: async () => {
    await call("POST", `/operator/v1/withdrawals/${row.id}/cancel`).catch((error) => notice(error.message));
    again();
  } } }, "Call off");
}

export async function reputation() {
  const [rows, parts] = await Promise.all([call("GET", "/operator/v1/nodes"), call("GET", "/operator/v1/jobs?limit=200")]);
  return [
    el("div", {}, el("h1", {}, "Reputation"), el("p", { class: "lead" }, "Only checked answers move it. It starts low, grows with every check that your node passes, and decides how often the node is checked and whether it may serve alone.")),
    el("div", { class: "two" }, rows.data.length ? rows.data.map((node) => record(node, parts.data.filter((part) => part.node_id === node.id))) : el("p", { class: "hint" }, "No nodes yet.")),
  ];
}

function record(node, parts) {
  const history = parts.slice(0, 60).reverse();
  const mark = (part) => part.pay_nano > 0 || part.role === "score" ? "" : ["unverified", "cancelled"].includes(part.outcome) ? "none" : "bad";
  const failed = history.filter((part) => mark(part) === "bad").length;
  return el("article", { class: "sheet" },
    el("div", { class: "between" }, el("h2", {}, node.name), tag(node.state)),
    node.reputation.map((row) => el("div", {},
      el("div", { class: "between" }, el("span", {}, row.model), el("span", { class: "hint" }, `${(row.correctness * 100).toFixed(1)} % certain`)),
      el("div", { class: "meter", role: "meter", "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": (row.correctness * 100).toFixed(1), "aria-label": `Correctness with ${row.model}` },
        bar(row.correctness)),
      el("p", { class: "hint" }, `${row.passes.toFixed(1)} checks passed, ${row.failures.toFixed(1)} failed, older ones fading.`))),
    history.length ? [el("p", { class: "hint" }, `The last ${history.length} jobs, ${failed} of them a fault of the node:`),
      el("div", { class: "ticks", role: "img", "aria-label": `${history.length} jobs, ${failed} faults` }, history.map((part) => el("i", { class: mark(part), title: `${part.outcome.replaceAll("_", " ")}, ${when(part.ended_ms)}` })))] : el("p", { class: "hint" }, "No jobs yet."));
}

function bar(share) {
  const fill = el("i");
  // By script, because the page's policy allows no inline styles in markup.
  fill.style.width = `${Math.max(1, share * 100)}%`;
  return fill;
}
