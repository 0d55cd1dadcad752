// An operator's pages: signing up, enrolling, jobs with their reasons, reputation, taking money out.

import assert from "node:assert/strict";
import { test } from "node:test";
import { asWithoutTls } from "./pages.mjs";
import { api, asOperator, askUntil, go, hasEarned, heading, nodeOf, open, ready, runningJob, useBrowser, wasCaught, withRunning } from "./support.mjs";

useBrowser();
const worker = nodeOf("worker");
const cheat = nodeOf("cheat");

test("somebody who was invited signs up, makes a token for a machine, and comes back with the secret", async () => {
  const admin = ready.admin_url.slice(new URL(ready.admin_url).origin.length);
  const { invitation } = (await api(`${admin}/invitations`, ready.admin_token, { note: "Ada" })).body;
  const { page, close } = await open();
  await page.getByRole("tab", { name: "I run nodes" }).click();
  await page.getByLabel("Invitation").fill(invitation);
  await page.getByRole("button", { name: "Sign up" }).click();
  await page.getByRole("alert").filter({ hasText: "Your name is needed" }).waitFor();
  await page.getByLabel("Your name").fill("Ada");
  await page.getByRole("button", { name: "Sign up" }).click();
  await page.getByRole("heading", { name: "You are in." }).waitFor();
  const secret = await page.locator(".secret code").innerText();
  assert.match(secret, /^os-/);
  await page.getByRole("button", { name: "I kept it" }).click();
  await heading(page, "Nodes");
  await page.getByText("No nodes yet.").waitFor();
  await page.getByRole("button", { name: "Make an enrolment token" }).click();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  const commands = await page.locator("pre code").innerText();
  assert.match(commands, new RegExp(`^node-agent enrol --gateway ${new URL(ready.console_url).origin} --token et-\\S+\nnode-agent run --model `));
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Enrol a machine", "the focus is where the news is");
  await page.getByRole("button", { name: "Copy" }).click();
  await page.getByText("Copied.").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), commands);
  for (const [name, words] of [["Jobs", "No jobs yet."], ["Earnings", "Set a payout address first."], ["Reputation", "No nodes yet."]]) {
    await go(page, name);
    await page.getByText(words).waitFor();
  }
  await page.getByRole("button", { name: "Sign out" }).click();
  await asOperator(page, secret);
  await page.getByRole("button", { name: "Sign out" }).click();

  await page.getByLabel("Invitation").fill(invitation);
  await page.getByLabel("Your name").fill("Eve");
  await page.getByRole("button", { name: "Sign up" }).click();
  await page.getByRole("alert").filter({ hasText: /used/ }).waitFor();
  await close();
});

test("more nodes than a page has are said to be there", async () => {
  const { page, close } = await open();
  await page.route(/operator\/v1\/nodes(\?|$)/, async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ json: { ...(await answer.json()), next: "a-node" } });
  });
  await asOperator(page, worker.operator_secret);
  const words = "Only your first 1 nodes are shown. GET /operator/v1/nodes?after=a-node lists the next ones.";
  await page.getByText(words).waitFor();
  await go(page, "Reputation");
  await page.getByText(words).waitFor();
  await close();
});

test("an operator sees nodes, jobs with what they rest on, and how its reputation came to be", async () => {
  await askUntil(worker, hasEarned);
  const { page, close } = await open();
  await asOperator(page, worker.operator_secret);
  await page.getByRole("article").getByText(/Gets jobs/).waitFor();
  await go(page, "Jobs");
  await page.getByText("Evidence", { exact: true }).first().click();
  const first = page.getByRole("row").nth(1);
  for (const words of [/^from \d other owners?, of \d that answered$/, /logits; 0\.001 is allowed$/, /last word after \d+ ms$/]) await first.getByText(words).waitFor();
  await first.getByText("As JSON").click();
  await first.getByText("margin_allowed").waitFor();
  await page.getByLabel("Which jobs").selectOption("Paid");
  await page.locator("td .tag", { hasText: /agreed|vindicated|passed/ }).first().waitFor();
  await go(page, "Reputation");
  const chart = page.getByRole("img", { name: new RegExp(`^Correctness with ${ready.model}: From 5\\.00 % to \\d+\\.\\d+ % over \\d+ checks`) });
  const points = (await chart.locator("polyline").getAttribute("points")).split(" ");
  assert.ok(points.length > 2, "a line through where it began and each check");
  const record = page.getByRole("region", { name: new RegExp(` with ${ready.model}$`) });
  const now = await record.getByText(/^correctness/).innerText();
  assert.notEqual(now, "correctness 5.00 %", "it is more than a newcomer has");
  await record.getByText("As a table").click();
  const rows = page.getByRole("region", { name: `History with ${ready.model}` }).getByRole("row");
  assert.equal(await rows.count(), points.length, "a row for each check, and one with their names");
  assert.equal((await rows.nth(1).getByRole("cell").last().innerText()).trim(), now.replace("correctness ", ""), "the last check is what is known now");
  await close();
});

/** What the gateway says of the nodes, changed. */
const withNodes = (page, change) => page.route("**/operator/v1/nodes*", async (route) => {
  const answer = await route.fetch();
  const body = await answer.json();
  body.data.forEach((node) => Object.assign(node, change));
  await route.fulfill({ response: answer, json: body });
});

test("jobs that run are shown as they come and go, and a quarantine with its end", async () => {
  const { page, close } = await open();
  await asOperator(page, worker.operator_secret);
  await withNodes(page, { jobs_running: 2, state: "quarantined", until_ms: Date.UTC(2040, 0, 2, 12) });
  await page.getByRole("article").getByText("2 jobs").waitFor();
  await page.getByRole("article").getByText(/Jan 2, 2040/).waitFor();

  let now = { data: [runningJob("22222222", { kind: "score" }), runningJob("11111111", { tokens: 7 })], total: 300 };
  await withRunning(page, () => now);
  await go(page, "Jobs");
  const running = page.getByRole("region", { name: "Running now" });
  const cells = (row) => running.getByRole("row").nth(row).getByRole("cell").allInnerTexts();
  await running.getByText("These are the last 2 of 300 jobs.").waitFor();
  assert.match((await cells(1)).join(" "), /22222222\s+scores others/);
  assert.match((await cells(2)).join(" "), new RegExp(`11111111\\s+${ready.model}\\s+7$`));
  await running.getByRole("region", { name: "Jobs that run" }).focus();
  now = { data: [runningJob("11111111", { tokens: 9 })], total: 1 };
  await running.getByRole("cell", { name: "9", exact: true }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), "Jobs that run", "the focus stays");
  now = { data: [], total: 0 };
  await running.getByText("Nothing right now.").waitFor();
  await close();
});

test("a cheat sees why it was not paid, and what that did to its reputation", async () => {
  await askUntil(cheat, wasCaught);
  const { page, close } = await open();
  await asOperator(page, cheat.operator_secret);
  await go(page, "Jobs");
  await page.getByLabel("Which jobs").selectOption("Not paid");
  const row = page.getByRole("row").filter({ hasText: "failed" }).first();
  await row.getByText(/position/).first().waitFor();
  await row.getByText("Why, and the evidence").click();
  await row.getByText(/^Not paid:/).waitFor();
  await row.getByText(/^position \d+: token \d+ was sent, the model draws \d+$/).waitFor();
  await go(page, "Reputation");
  await page.getByText(/[1-9]\d* failed\. Red: a failed check\./).waitFor();
  assert.ok((await page.locator("svg .fault").count()) > 0);
  await go(page, "Earnings");
  assert.equal(await page.locator(".figures .main dd").innerText(), "0.00");
  await close();
});

test("an operator takes earnings out, and calls a withdrawal off that waits for approval", async () => {
  await askUntil(worker, hasEarned);
  const { page, close } = await open({ init: asWithoutTls });
  await asOperator(page, worker.operator_secret);
  await go(page, "Earnings");
  const withdraw = page.getByRole("button", { name: "Withdraw" });
  assert.ok(await withdraw.isDisabled(), "there is nowhere to pay to");
  await page.getByLabel("USDC account").fill("0x12");
  await page.getByRole("button", { name: "Set address" }).click();
  await page.getByRole("alert").filter({ hasText: /40|0x/ }).waitFor();
  await page.getByLabel("USDC account").fill(`0x${"a5".repeat(20)}`);
  await page.getByRole("button", { name: "Set address" }).click();
  await page.waitForFunction(() => [...document.querySelectorAll("button")].some((one) => one.textContent === "Withdraw" && !one.disabled));
  await page.getByLabel("Credits").fill("0.0000001");
  await withdraw.click();
  await page.getByRole("alert").filter({ hasText: "at most six decimals" }).waitFor();

  const rows = page.getByRole("region", { name: "Withdrawals" }).getByRole("row");
  await page.getByLabel("Credits").fill("0.000001");
  await withdraw.click();
  await rows.filter({ hasText: "sent" }).waitFor();
  const left = await page.locator(".figures .main dd").innerText();
  // Everything that is left is more than this demo gives without asking.
  await withdraw.click();
  const waiting = rows.filter({ hasText: "awaiting approval" });
  await waiting.waitFor();
  assert.notEqual(await page.locator(".figures .main dd").innerText(), left, "it is set aside");
  await waiting.getByRole("button", { name: "Call off" }).click();
  await page.getByText("Called off: it is yours").waitFor();
  await rows.filter({ hasText: "cancelled" }).waitFor();
  assert.equal(await page.locator(".figures .main dd").innerText(), left, "it is there again");
  await close();
});
