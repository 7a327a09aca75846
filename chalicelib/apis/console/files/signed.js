// Signed orders, as a taker sees them: what can be locked, what it has locked, and what may be done next
// (docs/taker-desk.md).

import { forPeople, isPositive, shown } from "./decimals.js";
import { byId, make, row, say, timeOf } from "./page.js";
import { Refusal, send, signerOf, urlOf } from "./send.js";
import { reasonOf } from "./words.js";

const MOUNT = "/api/v1";
const AGAIN_MS = 3_000;
const PAGE = 50;
const PRICE_DECIMALS = 18;

export class TakerApi {
  /** keys: {api_key, api_secret}; without a secret requests are not signed (K4). */
  constructor(base, keys) {
    Object.assign(this, { base, keys, sign: keys.api_secret ? signerOf(keys.api_secret) : null });
  }

  get = (path, query = {}) => this.#data("GET", path, query, "");
  post = (path, body) => this.#data("POST", path, {}, JSON.stringify(body));

  async #data(method, path, query, body) {
    const url = urlOf(this.base, MOUNT + path, query);
    const headers = { "X-API-Key": this.keys.api_key };
    if (this.sign) {
      const timestamp = String(Date.now());
      const signed = `${method}|${MOUNT}${path}|${timestamp}|${method === "GET" ? url.search.slice(1) : body}`;
      Object.assign(headers, { "X-API-Timestamp": timestamp, "X-API-Signature": await this.sign(signed) });
    }
    const { response, answer } = await send(url, method, headers, body);
    if (response.ok) return answer.data;
    throw new Refusal(response.status, Number(answer.code), answer.message ?? `Status ${response.status}`);
  }
}

/** The view. api: called for the TakerApi; null while nobody has signed in. */
export class SignedOrders {
  constructor(api) {
    Object.assign(this, { api, said: byId("signed-said"), filled: null });
    byId("fill-close").addEventListener("click", () => byId("fill-dialog").close());
    byId("fill-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#fill();
    });
  }

  /** Show the orders, and again every three seconds until hide. */
  async show() {
    this.hide();
    await this.refresh();
    this.timer = setInterval(() => this.refresh(), AGAIN_MS);
  }

  hide() {
    clearInterval(this.timer);
  }

  async refresh() {
    const api = this.api();
    byId("signed-in").textContent = api ? "" : "Sign in with a taker's API key to see its orders.";
    if (!api) return;
    try {
      const [available, { orders }] = await Promise.all([
        api.get("/orders/available"),
        api.get("/takers/orders", { status: "locked,partially_filled,filled,suspended", page_size: PAGE }),
      ]);
      this.#list("available", available.slice(0, PAGE), "Nothing can be locked now.");
      this.#list("taken", orders, "This taker has locked and filled nothing.");
      byId("signed-age").textContent = `As of ${timeOf(Date.now())}.`;
    } catch (error) {
      byId("signed-age").textContent = reasonOf(error);
    }
  }

  #list(id, orders, none) {
    const rows = orders.map((order) => this.#row(order));
    byId(id).replaceChildren(...(rows.length ? rows : [row(make("td", { colSpan: 7, className: "none" }, none))]));
  }

  #row(order) {
    const next = this.#next(order);
    return row(
      make("th", { scope: "row" }, order.ticker),
      make("td", { className: order.is_buy ? "buy" : "sell" }, order.is_buy ? "maker buys" : "maker sells"),
      make("td", { className: "number" }, forPeople(shown(BigInt(order.price), PRICE_DECIMALS))),
      make("td", { className: "number" }, forPeople(order.quantity)),
      order.status.replaceAll("_", " ") + (order.notes === "cancel_requested" ? ", maker asks to cancel" : ""),
      new Date(Number(order.deadline) * 1000).toLocaleString(),
      make("td", {}, ...next.flatMap((button) => [button, " "])),
    );
  }

  /** What a taker may do next with an order (docs/taker-desk.md, "States"). */
  #next(order) {
    const named = `${order.ticker} order of ${order.quantity}`;
    const button = (text, act) => make("button", { type: "button", "aria-label": `${text} the ${named}`, onclick: act }, text);
    const send = (path, body, words) => () => this.#carryOut(this.said, async () => {
      await this.api().post(path, { order_hash: order.order_hash, ...body });
      return words;
    });
    const isMine = order.locked_by !== undefined;
    if (!isMine && ["pending", "partially_filled"].includes(order.status)) {
      return [button("Lock", send("/orders/lock", {}, "Locked: nobody else can fill it until the lock ends."))];
    }
    if (order.status !== "locked" && order.status !== "partially_filled") return [];
    const fill = button("Fill", () => this.#open(order));
    const unlock = button("Give back", send("/orders/unlock", {}, "Given back: others may lock it."));
    const reject = button("Reject", send("/orders/reject", { reason: "rejected in the console" }, "Rejected: the maker's funds are released."));
    return order.status === "locked" ? [fill, unlock, reject] : [fill, unlock];
  }

  #open(order) {
    this.filled = order;
    byId("fill-form").elements.quantity.value = order.quantity;
    say(byId("fill-said"), "");
    byId("fill-dialog").showModal();
  }

  async #fill() {
    const quantity = byId("fill-form").elements.quantity.value.trim();
    if (!isPositive(quantity)) {
      say(byId("fill-said"), "Type a whole number above 0: base units of the stock.", "bad");
      return;
    }
    const isDone = await this.#carryOut(byId("fill-said"), async () => {
      const named = { order_hash: this.filled.order_hash, fill_quantity: quantity };
      const { status, filled_amount: paid } = await this.api().post("/orders/fill", named);
      say(this.said, `Filled for ${forPeople(shown(BigInt(paid), PRICE_DECIMALS))}; the order is ${status.replaceAll("_", " ")}.`, "good");
      return "";
    });
    if (isDone) byId("fill-dialog").close();
  }

  async #carryOut(said, act) {
    try {
      say(said, await act(), "good");
      await this.refresh();
      return true;
    } catch (error) {
      say(said, reasonOf(error), "bad");
      return false;
    }
  }
}
