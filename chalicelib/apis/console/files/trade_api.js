// Calls of the trade desk. Requests of a customer are signed here, with WebCrypto (docs/trade-desk.md).

import { parseJson } from "./decimals.js";

const MOUNT = "/trade";
const ANSWER_MS_MAX = 30_000;

/** An answer that is no success. code: the desk's error_code; message: its words. */
export class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { status, code });
  }
}

/** No answer: whether a write was carried out is not known. */
export class NoAnswer extends Error {}

export class TradeApi {
  /** base: the URL of the service, with its stage. signer: {token, secret}, or null for public data only. */
  constructor(base, signer = null) {
    Object.assign(this, { base, signer, aheadMs: 0, key: null });
  }

  /** Ask how far this machine's clock is from the server's, so that signatures are in time. */
  async setClock() {
    const sentMs = Date.now();
    const { data } = await this.#answer("GET", "/public/server-time", {}, null, {});
    this.aheadMs = Number(data.timestamp ?? data) - (sentMs + Date.now()) / 2;
  }

  nowMs = () => Date.now() + this.aheadMs;
  get = (path, query = {}, more = {}) => this.#data("GET", path, query, null, more);
  post = (path, body, more = {}) => this.#data("POST", path, {}, body, more);
  put = (path, body) => this.#data("PUT", path, {}, body, {});
  remove = (path, body) => this.#data("DELETE", path, {}, body, {});

  async #data(...request) {
    return (await this.#answer(...request)).data;
  }

  async #answer(method, path, query, body, { headers = {}, signal } = {}) {
    const url = new URL(this.base.href.replace(/\/$/, "") + MOUNT + path);
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
    const text = body === null ? "" : JSON.stringify(body);
    const sent = { ...headers, ...(await this.#signature(method, MOUNT + path, text)) };
    if (text) sent["Content-Type"] = "application/json";
    let response, answer;
    try {
      const bound = AbortSignal.any([AbortSignal.timeout(ANSWER_MS_MAX), ...(signal ? [signal] : [])]);
      response = await fetch(url, { method, headers: sent, body: text || undefined, signal: bound, cache: "no-store" });
      answer = parseJson(await response.text());
    } catch (error) {
      throw new NoAnswer(error.name === "SyntaxError" ? "The answer is no JSON." : "The service does not answer.");
    }
    if (response.ok) return answer;
    throw new Refusal(response.status, Number(answer.error_code), answer.message ?? `Status ${response.status}`);
  }

  async #signature(method, path, body) {
    if (!this.signer || path.startsWith(MOUNT + "/public/")) return {};
    const encoder = new TextEncoder();
    const kind = { name: "HMAC", hash: "SHA-256" };
    this.key ??= await crypto.subtle.importKey("raw", encoder.encode(this.signer.secret), kind, false, ["sign"]);
    const timestamp = String(Math.round(this.nowMs()));
    const bytes = await crypto.subtle.sign("HMAC", this.key, encoder.encode(timestamp + method + path + body));
    return {
      authorization: this.signer.token,
      timestamp,
      signature: btoa(String.fromCharCode(...new Uint8Array(bytes))),
    };
  }
}
