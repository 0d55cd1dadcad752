// Sessions: renewed when they run out, kept through trouble, ended only by a 401.

import assert from "node:assert/strict";
import { test } from "node:test";
import { asClient, asOperator, go, heading, nodeOf, open, useBrowser } from "./support.mjs";

useBrowser();
const worker = nodeOf("worker");
const signOut = (page) => page.getByRole("button", { name: "Sign out" });
const refused = (status, message, headers = {}) => (route) => route.fulfill({ status, headers, json: { error: { message, code: "x" } } });

/** An operator whose token has run out and whose page is loaded anew. */
async function withOldToken() {
  const opened = await open();
  await asOperator(opened.page, worker.operator_secret);
  await opened.page.evaluate(() => {
    const session = JSON.parse(sessionStorage.getItem("assay.session"));
    sessionStorage.setItem("assay.session", JSON.stringify({ ...session, token: "worn" }));
    location.hash = "#/earnings";
  });
  await heading(opened.page, "Earnings");
  return opened;
}

test("a token that has run out is renewed once, and the page is there", async () => {
  const { page, close } = await withOldToken();
  let renewals = 0;
  page.on("request", (request) => request.url().endsWith("/operator/v1/refresh") && renewals++);
  await page.reload();
  await heading(page, "Earnings");
  assert.equal(renewals, 1, "three calls were refused, and one of them renewed");
  await go(page, "Jobs");
  await page.reload();
  await heading(page, "Jobs");
  assert.equal(renewals, 1, "the new token is kept");
  await close();
});

for (const [status, message] of [[503, "The gateway's database does not answer right now."], [429, "Too many requests."]]) {
  test(`a renewal that is answered ${status} signs nobody out`, async () => {
    const { page, close } = await withOldToken();
    await page.route("**/operator/v1/refresh", refused(status, message, { "retry-after": "7" }));
    await page.reload();
    await page.getByRole("alert").filter({ hasText: `${message} Try again in 7 s.` }).waitFor();
    assert.ok(await signOut(page).isVisible(), "still signed in");
    await page.unroute("**/operator/v1/refresh");
    await page.getByRole("button", { name: "Try again" }).click();
    await heading(page, "Earnings");
    await page.getByLabel("USDC account").waitFor();
    await close();
  });
}

test("a renewal whose answer is lost is asked for again, and signs nobody out", async () => {
  const { page, close } = await withOldToken();
  await page.route("**/operator/v1/refresh", async (route) => {
    assert.equal((await route.fetch()).status(), 200, "the gateway has renewed it");
    await route.abort();
  }, { times: 1 });
  await page.reload();
  await page.getByRole("alert").filter({ hasText: "The gateway does not answer." }).waitFor();
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByLabel("USDC account").waitFor();
  assert.ok(await signOut(page).isVisible());
  await close();
});

test("a session that cannot be renewed ends, and says so", async () => {
  const { page, close } = await withOldToken();
  await page.route("**/operator/v1/refresh", refused(401, "Log in again."));
  await page.reload();
  await page.getByText("Your session has ended: sign in again.").waitFor();
  await page.getByLabel("Operator secret").waitFor();
  assert.ok(await signOut(page).isHidden());
  assert.equal(await page.evaluate(() => sessionStorage.getItem("assay.session")), null);
  await close();
});

test("a client stays signed in through trouble, and is out when the key ends", async () => {
  const { page, close } = await open();
  await asClient(page);
  for (const [status, message] of [[429, "Too many requests."], [503, "The gateway is stopping."], [0, "The gateway does not answer."]]) {
    await page.route("**/v1/credits", status ? refused(status, message) : (route) => route.abort());
    await page.getByRole("link", { name: "Credit" }).click();
    await page.getByRole("alert").filter({ hasText: message }).waitFor();
    assert.ok(await signOut(page).isVisible());
    await page.unroute("**/v1/credits");
    await page.getByRole("button", { name: "Try again" }).click();
    await page.getByLabel("Balance").waitFor();
    await go(page, "Usage");
  }
  await page.route("**/v1/credits", refused(401, "Incorrect API key provided."));
  await page.getByRole("link", { name: "Credit" }).click();
  await page.getByText("Your session has ended: sign in again.").waitFor();
  await page.getByLabel("API key").waitFor();
  await close();
});

test("a page that looks again and again says when there is no news, and goes on", async () => {
  const { page, close } = await open();
  await asOperator(page, worker.operator_secret);
  await page.route("**/operator/v1/nodes", refused(503, "The gateway is stopping."));
  await page.getByRole("status").filter({ hasText: "No news: The gateway is stopping." }).waitFor();
  assert.ok(await page.getByRole("article").isVisible(), "what was known stays");
  await page.unroute("**/operator/v1/nodes");
  await page.getByRole("status").filter({ hasText: "No news" }).waitFor({ state: "hidden" });
  await close();
});
