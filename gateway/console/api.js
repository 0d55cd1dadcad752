// Who is signed in, and calls in their name. Kept for this tab only.

const KEY = "assay.session";
let session = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
let renewal = null;

export class ApiError extends Error {
  constructor(status, body) {
    super(body?.error?.message ?? `The gateway answered ${status}.`);
    this.status = status;
    this.code = body?.error?.code;
  }
}

export const signedIn = () => session;

export function signIn(next) {
  session = next;
  if (next) sessionStorage.setItem(KEY, JSON.stringify(next));
  else sessionStorage.removeItem(KEY);
}

/** A call; an operator's session is renewed once when it has run out. */
export async function call(method, path, body, headers = {}) {
  let answer = await send(method, path, body, headers);
  if (answer.status === 401 && session?.refresh) {
    await renew();
    answer = await send(method, path, body, headers);
  }
  if (answer.status === 204) return null;
  const read = await answer.json().catch(() => null);
  if (!answer.ok) throw new ApiError(answer.status, read);
  return read;
}

export function send(method, path, body, headers = {}, signal) {
  const all = { ...headers };
  const bearer = session?.key ?? session?.token;
  if (bearer) all.authorization = `Bearer ${bearer}`;
  if (body !== undefined) all["content-type"] = "application/json";
  return fetch(path, { method, headers: all, body: body === undefined ? undefined : JSON.stringify(body), signal });
}

/** Two calls at once must not use one refresh token twice. */
function renew() {
  renewal ??= (async () => {
    const answer = await fetch("/operator/v1/refresh", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ refresh_token: session.refresh }),
    });
    if (answer.ok) {
      const next = await answer.json();
      signIn({ ...session, token: next.token, refresh: next.refresh_token });
    } else {
      signIn(null);
      location.hash = "#/";
    }
  })().finally(() => (renewal = null));
  return renewal;
}
