// A client's pages: signing in, asking, what a verdict says, paying in, getting credit back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { asWithoutTls, gateStreams } from "./pages.mjs";
import { asClient, go, open, ready, settled, until, useBrowser } from "./support.mjs";

useBrowser();

test("a wrong key is refused in words, where it was typed", async () => {
  const { page, close } = await open();
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").filter({ hasText: "API key is needed" }).waitFor();
  await page.getByLabel("API key").fill("ak-wrong");
  await page.getByLabel("API key").press("Enter");
  await page.getByRole("alert").filter({ hasText: "Incorrect API key" }).waitFor();
  await close();
});

test("an answer is shown as it is agreed on, token by token, and then judged", async () => {
  const { page, close } = await open({ init: gateStreams });
  await asClient(page);
  await page.getByLabel("Message").fill("What is 3 + 4?");
  await page.getByLabel("Message").press("Control+Enter");
  const pieces = (grade) => page.locator(`.answer span.${grade}`);
  // The first event has a role and no text.
  await page.evaluate(() => window.gate.let(2));
  await pieces("agreed").first().waitFor();
  assert.equal(await pieces("agreed").count(), 1, "one piece was let through");
  assert.equal(await pieces("verified").count(), 0, "nothing is verified before its verdict");
  assert.ok(await page.locator(".verdict").isHidden());
  await page.evaluate(() => window.gate.let(10_000));
  await page.getByText("Owners that agree").waitFor();
  assert.ok((await pieces("verified").count()) > 0, "the demo has every answer checked");
  assert.equal(await pieces("agreed").count(), 0, "all of it is what the verdict says");
  assert.match(await page.locator(".verdict").innerText(), /^spot-checked .*model itself was asked at \d+ positions/s);
  const said = await page.locator("#said").innerText();
  const answer = await page.locator(".answer").innerText();
  assert.ok(said.replaceAll("\n", "").includes(answer.replaceAll("\n", "").trim().slice(-10)), `${said} has the end of ${answer}`);
  assert.match(said, /spot-checked/, "and the verdict is said aloud");
  await go(page, "Usage");
  await page.getByRole("region", { name: "Requests" }).getByText("spot-checked").first().waitFor();
  await close();
});

const VERDICTS = [
  ["agreement, unchecked", { rule: "agreement", nodes_agreed: 3, nodes_asked: 3, positions_checked: 0, largest_margin: null, audited: false }, "agreed", /^agreed 3 owners of 3 asked .* was not asked/],
  ["agreement, audited", { rule: "agreement", nodes_agreed: 2, nodes_asked: 2, positions_checked: 9, largest_margin: 0, audited: true }, "verified", /^spot-checked 2 owners of 2 .* at 9 positions/],
  ["majority", { rule: "majority", nodes_agreed: 2, nodes_asked: 3, positions_checked: 9, largest_margin: 0, audited: false }, "verified", /^spot-checked .* more than any other/],
  ["spot checks", { rule: "spot_checks", nodes_agreed: 1, nodes_asked: 3, positions_checked: 16, largest_margin: 0.0002, audited: false }, "verified", /^spot-checked No two owners/],
  ["a trusted node", { rule: "trusted", nodes_agreed: 1, nodes_asked: 1, positions_checked: 0, largest_margin: null, audited: false }, "trusted", /^trusted One proven node .* nobody looked/],
  ["a rule of tomorrow", { rule: "dice", nodes_agreed: 1, nodes_asked: 1, positions_checked: 0 }, "unverified", /^unverified .*“dice”/],
  ["none", undefined, "unverified", /^unverified The answer ended without a verdict/],
];

/** Answers the next question with this stream. */
async function streaming(page, ...events) {
  const data = events.map((event) => `data: ${event === "[DONE]" ? event : JSON.stringify(event)}\n\n`).join("");
  await page.route("**/v1/chat/completions", (route) => route.fulfill({ contentType: "text/event-stream", body: data }), { times: 1 });
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator(".verdict").waitFor();
}

const piece = (content) => ({ choices: [{ delta: { content } }] });

test("an answer is called what its verdict calls it, and nothing more", async () => {
  const { page, close } = await open();
  await asClient(page);
  for (const [name, verdict, grade, words] of VERDICTS) {
    await streaming(page, piece("Sev"), piece("en."), { choices: [], x_assay: verdict }, "[DONE]");
    const text = (await page.locator(".verdict").innerText()).replaceAll(/\s+/g, " ");
    assert.match(text, words, name);
    assert.deepEqual(await page.locator(".answer span").evaluateAll((all) => all.map((one) => one.className)), [grade, grade], name);
  }
  await streaming(page, piece("Sev"), { error: { message: "The model refutes what was sent.", code: "not_verified" } });
  assert.match(await page.locator(".verdict").innerText(), /^broken off The model refutes what was sent\. Do not rely/);
  await streaming(page, piece("Sev"));
  assert.match(await page.locator(".verdict").innerText(), /^broken off The connection ended before the verdict/);
  assert.equal(await page.locator(".answer span.broken").count(), 1);
  await close();
});

test("a stream can be stopped, and what came stays", async () => {
  const { page, close } = await open({ init: gateStreams });
  await asClient(page);
  const stop = page.getByRole("button", { name: "Stop" });
  assert.ok(await stop.isDisabled(), "there is nothing to stop yet");
  await page.getByRole("button", { name: "Send" }).click();
  await page.evaluate(() => window.gate.let(2));
  await page.locator(".answer span.agreed").waitFor();
  await stop.click();
  await page.locator(".verdict").getByText("You stopped it, so there is no verdict.").waitFor();
  assert.equal(await page.locator(".answer span.agreed").count(), 1);
  assert.equal(await page.locator(".answer span.verified").count(), 0);
  assert.ok(await stop.isDisabled());
  assert.equal(await page.evaluate(() => document.activeElement.name), "message", "one can go on typing");
  await page.evaluate(() => window.gate.let(10_000));
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("Owners that agree").waitFor();
  await close();
});

/** What the page says can be spent, in nano. */
async function available(page) {
  const [whole, fraction] = (await page.locator(".figures .main dd").innerText()).replaceAll(",", "").split(".");
  return Number(whole) * 1e9 + Number(fraction.padEnd(9, "0"));
}


test("a client pays in at the payment page, and gets unused credit back", async () => {
  const { page, close } = await open({ init: asWithoutTls });
  await asClient(page);
  await settled();
  await go(page, "Credit");
  const before = await available(page);
  await page.getByLabel("Amount in US dollars").fill("12.50");
  await page.getByRole("button", { name: "Pay with stablecoin" }).click();
  await page.getByRole("button", { name: /Pay 12.50/ }).click();
  await page.getByText("Your payment of 12.50 is credited.").waitFor();
  assert.equal(await available(page), before + 12_500_000_000);
  await page.getByRole("button", { name: "Give 12.50 back" }).click();
  await page.getByText("12.50 is on its way back.").waitFor();
  await page.getByRole("region", { name: "Refunds" }).getByText("12.50").waitFor();
  assert.equal(await available(page), before);
  assert.equal(await page.getByRole("button", { name: "Give 12.50 back" }).count(), 0, "it can be given back once");
  await close();
});

test("a payment that fails, and one that nobody makes, credit nothing and say so", async () => {
  const { page, close } = await open();
  await asClient(page);
  await settled();
  await go(page, "Credit");
  const before = await available(page);
  const amount = page.getByLabel("Amount in US dollars");
  const pay = page.getByRole("button", { name: "Pay with stablecoin" });
  await amount.fill("much");
  await pay.click();
  await page.getByRole("alert").filter({ hasText: "Write an amount in dollars" }).waitFor();
  await amount.fill("0.10");
  await pay.click();
  await page.getByRole("alert").filter({ hasText: "A top-up is 100 to" }).waitFor();
  await amount.fill("3.00");
  await pay.click();
  await page.getByRole("button", { name: "Let the payment fail" }).click();
  await page.getByText("Nothing was credited: the payment did not go through.").waitFor();
  assert.equal(await available(page), before);
  await page.getByLabel("Amount in US dollars").fill("4.00");
  await pay.click();
  await page.getByRole("link", { name: "Go back without paying" }).click();
  await page.getByText("You came back without paying. Nothing was charged.").waitFor();
  await page.getByRole("region", { name: "Payments" }).getByRole("link", { name: "Pay" }).first().waitFor();
  assert.equal(await available(page), before);
  await close();
});

test("a long list grows when somebody asks for more, as far as the API goes at once", async () => {
  const { page, close } = await open();
  await asClient(page);
  const row = { created_ms: 1, model: "m", risk: "low", state: "failed", prompt_tokens: 1, completion_tokens: 0, cost_nano: 0, verdict: null, reason: "nobody was there" };
  await page.route("**/v1/credits/requests?*", (route) => {
    const limit = Number(new URL(route.request().url()).searchParams.get("limit"));
    return route.fulfill({ json: { data: Array(limit).fill(row), next: "1.x" } });
  });
  await go(page, "Usage");
  const rows = page.getByRole("region", { name: "Requests", exact: true }).getByRole("row");
  const button = page.getByRole("button", { name: "Show more" });
  for (const shown of [50, 100, 150]) {
    await until(`${shown} are shown`, async () => (await rows.count()) === shown + 1);
    await button.press("Enter");
  }
  await page.getByText("These are the last 200. GET /v1/credits/requests has all of them.").waitFor();
  assert.equal(await rows.count(), 201);
  assert.equal(await button.count(), 0);
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), "Requests", "the focus is not lost");
  await close();
});

test("a payment without a page is asked for anew, and never gone to", async () => {
  const { page, close } = await open();
  await asClient(page);
  await go(page, "Credit");
  const keys = [];
  let pages = 2;
  await page.route("**/v1/credits/checkout", (route) => {
    keys.push(route.request().headers()["idempotency-key"]);
    if (pages-- > 0) return route.fulfill({ status: 201, json: { id: "x", amount_cents: 1000, state: "paid", reason: "", url: null } });
    return route.continue();
  });
  await page.getByRole("button", { name: "Pay with stablecoin" }).click();
  await page.getByRole("alert").filter({ hasText: "gave no page" }).waitFor();
  assert.ok(page.url().startsWith(ready.console_url), page.url());
  await page.getByRole("button", { name: "Pay with stablecoin" }).click();
  await page.getByRole("button", { name: /Pay 10.00/ }).waitFor();
  await until("each payment that is over makes place for another key", () => new Set(keys).size === 2);
  await close();
});
