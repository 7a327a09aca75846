// Signed orders, as a taker sees them: what can be locked, what it has locked, and what may be done next
// (docs/taker-desk.md).

import { forPeople, isPositive, shown } from "./decimals.js";
import { byId, dateOf, make, row, say, showRows, timeOf } from "./page.js";
import { Refusal, send, signerOf, urlOf } from "./send.js";
import { noReading, reasonOf } from "./words.js";

const MOUNT = "/api/v1";
const AGAIN_MS = 3_000;
const PAGE = 50;
const EVENTS = 1_000;
const ASKED_MAX = 20; // held orders that are read one by one: the list says nothing of cancel requests
const PRICE_DECIMALS = 18;

export class TakerApi {
  /** keys: {api_key, api_secret}; without a secret requests are not signed (K4). */
  constructor(base, keys) {
    Object.assign(this, { base, keys, sign: keys.api_secret ? signerOf(keys.api_secret) : null });
    Object.assign(this, { cursor: undefined, ends: new Map() }); // of its events; when its locks end, by order
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
    throw new Refusal(response.status, Number(answer.code), answer.message);
  }
}

/** What is said of an order's lock: its end is known of those taken since the page was opened. */
function lockOf({ isMine, locked_at: since, until }) {
  if (!isMine) return "";
  return until ? ` until ${timeOf(until)}` : ` since ${timeOf(since)}`;
}

/** The view. api: called for the TakerApi; null while nobody has signed in. */
export class SignedOrders {
  constructor(api) {
    Object.assign(this, { api, said: byId("signed-said"), filled: null, asked: 0, latest: 0 });
    byId("fill-close").addEventListener("click", () => byId("fill-dialog").close());
    byId("fill-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#fill();
    });
  }

  /** Show the orders, and again every three seconds until hide. */
  async show() {
    this.hide();
    this.timer = setInterval(() => this.refresh(), AGAIN_MS);
    await this.refresh();
  }

  hide() {
    clearInterval(this.timer);
  }

  async refresh() {
    const api = this.api();
    byId("signed-in").textContent = api ? "" : "Sign in with a taker's API key to see its orders.";
    if (!api) return;
    const number = (this.asked += 1);
    try {
      const [available, { orders }] = await Promise.all([
        api.get("/orders/available"),
        api.get("/takers/orders", { status: "locked,partially_filled,filled,suspended", page_size: PAGE }),
        this.#learnEnds(api),
      ]);
      const own = await this.#address(api, orders);
      const held = orders.filter(({ status, locked_by: by }) => by === own && ["locked", "partially_filled"].includes(status));
      const asked = await this.#cancelsAsked(api, held.slice(0, ASKED_MAX));
      if (number < this.latest) return; // a later answer has overtaken this one
      this.latest = number;
      const seen = (order) => ({
        ...order, isMine: held.includes(order), isAsked: asked.has(order.order_hash),
        until: api.ends.get(order.order_hash),
      });
      this.#list("available", available.slice(0, PAGE).map(seen), "Nothing can be locked now.");
      this.#list("taken", orders.map(seen), "This taker has locked and filled nothing.");
      byId("signed-age").textContent = `As of ${timeOf(Date.now())}.`;
    } catch (error) {
      byId("signed-age").textContent = noReading(error);
    }
  }

  /** Learn from the events since the last look when locks end, wherever they were taken: lists do not say it (O35). */
  async #learnEnds(api) {
    try {
      const { events, cursor } = await api.get("/takers/events", { after: api.cursor, limit: EVENTS });
      api.cursor = cursor;
      for (const { body } of events) {
        if (body.expiresAt) api.ends.set(body.orderHash, body.expiresAt);
        else api.ends.delete(body.orderHash);
      }
    } catch (error) {
      if (!(error instanceof Refusal && error.status === 410)) throw error;
      api.cursor = undefined;
      api.ends.clear();
    }
  }

  /** Return the key's address: its fills name it, and without a fill it sees no order that another has locked (K11). */
  async #address(api, orders) {
    api.address ??= (await api.get("/orders/filled", { page_size: 1 })).fills[0]?.taker;
    return api.address ?? orders.find(({ locked_by: by }) => by !== undefined)?.locked_by;
  }

  /** Return the hashes of the orders whose makers ask to cancel. */
  async #cancelsAsked(api, held) {
    const read = ({ order_hash: hash }) => api.get(`/takers/orders/${hash}`).catch(() => ({})); // given back meanwhile
    const found = await Promise.all(held.map(read));
    return new Set(found.filter(({ notes }) => notes === "cancel_requested").map(({ order_hash: hash }) => hash));
  }

  #list(id, orders, none) {
    showRows(byId(id), orders, (order) => this.#row(order), none);
  }

  #row(order) {
    const next = this.#next(order);
    return row(
      make("th", { scope: "row" }, order.ticker),
      make("td", { className: order.is_buy ? "buy" : "sell" }, order.is_buy ? "maker buys" : "maker sells"),
      make("td", { className: "number" }, forPeople(shown(BigInt(order.price), PRICE_DECIMALS))),
      make("td", { className: "number" }, forPeople(order.quantity)),
      order.status.replaceAll("_", " ") + lockOf(order) + (order.isAsked ? "; its maker asks to cancel" : ""),
      dateOf(Number(order.deadline) * 1000),
      make("td", {}, ...next.flatMap((button) => [button, " "])),
    );
  }

  /** What a taker may do next with an order (docs/taker-desk.md, "States"). */
  #next(order) {
    const named = `${order.ticker} order of ${order.quantity}`;
    const button = (text, act) => make("button", { type: "button", "aria-label": `${text}: ${named}`, onclick: act }, text);
    const send = (path, body, words) => () => this.#carryOut(this.said, async () => {
      await this.api().post(path, { order_hash: order.order_hash, ...body });
      return words;
    });
    if (order.locked_by === undefined && ["pending", "partially_filled"].includes(order.status)) return [button("Lock", () => this.#lock(order))];
    if (!order.isMine) return [];
    const answer = (granted, message) => ({ taker_address: order.locked_by, cancellation_success: granted, message });
    const requests = order.isAsked ? [
      button("Grant the cancel", send("/orders/cancel-result", answer(true, "granted in the console"), "Cancelled: the maker's funds are released.")),
      button("Keep it", send("/orders/cancel-result", answer(false, "kept in the console"), "Kept: the order stays locked.")),
    ] : [];
    const fill = button("Fill", () => this.#open(order));
    const unlock = button("Give back", send("/orders/unlock", {}, order.isAsked
      ? "Given back, and so cancelled: its maker had asked." : "Given back: others may lock it."));
    const reject = button("Reject", send("/orders/reject", { reason: "rejected in the console" }, "Rejected: the maker's funds are released."));
    return [...requests, fill, unlock, ...(order.status === "locked" ? [reject] : [])];
  }

  #lock({ order_hash: hash }) {
    return this.#carryOut(this.said, async () => {
      const { expires_at: end } = await this.api().post("/orders/lock", { order_hash: hash });
      this.api().ends.set(hash, end);
      return `Locked until ${timeOf(end)}: nobody else can fill it.`;
    });
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
