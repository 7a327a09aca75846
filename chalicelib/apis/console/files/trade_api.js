// Calls of the trade desk, signed for its customer (docs/trade-desk.md).

import { Refusal, send, signerOf, urlOf } from "./send.js";

const MOUNT = "/trade";

export class TradeApi {
  /** base: the URL of the service, with its stage. signer: {token, secret}, or null for public data only. */
  constructor(base, signer = null) {
    Object.assign(this, { base, signer, aheadMs: 0, sign: signer && signerOf(signer.secret) });
  }

  /** Ask how far this machine's clock is from the server's, so that signatures are in time. */
  async setClock() {
    const sentMs = Date.now();
    const { timestamp } = await this.get("/public/server-time");
    this.aheadMs = Number(timestamp) - (sentMs + Date.now()) / 2;
  }

  get = (path, query = {}, more = {}) => this.#data("GET", path, query, null, more);
  post = (path, body, more = {}) => this.#data("POST", path, {}, body, more);
  put = (path, body) => this.#data("PUT", path, {}, body, {});
  remove = (path, body) => this.#data("DELETE", path, {}, body, {});

  async #data(method, path, query, body, { headers = {}, signal } = {}) {
    const text = body === null ? "" : JSON.stringify(body);
    const signed = { ...headers, ...(await this.#signature(method, path, text)) };
    const { response, answer } = await send(urlOf(this.base, MOUNT + path, query), method, signed, text, signal);
    if (response.ok) return answer.data;
    throw new Refusal(response.status, Number(answer.error_code), answer.message);
  }

  async #signature(method, path, body) {
    if (!this.signer || path.startsWith("/public/")) return {};
    const timestamp = String(Math.round(Date.now() + this.aheadMs));
    const signature = await this.sign(timestamp + method + MOUNT + path + body);
    return { authorization: this.signer.token, timestamp, signature };
  }
}
