// Escrow orders of a merchant: each as a timeline, with what is held and what may be done next (docs/escrow-desk.md).

import { compare } from "./decimals.js";
import { byId, dateOf, make, place, say, timeOf } from "./page.js";
import { Refusal, send, urlOf } from "./send.js";
import { noReading, reasonOf } from "./words.js";

const MOUNT = "/2.0";
const AGAIN_MS = 3_000;
const PAGE = 30;

const NEXT = {
  DRAFT: "The buyer pays.",
  PENDING_DETAILS: "Its buyer or seller is missing.",
  PENDING_PUBLISH: "A payment is on its way.",
  FAILURE: "The payment failed; the buyer may pay again.",
  PUBLISHED: "It is paid; the seller accepts or rejects.",
  ACCEPTED: "The seller delivers; the merchant validates when the buyer has what was agreed.",
  PENDING_VALIDATE: "The merchant validates.",
  PENDING_RELEASE: "It is validated; the money goes to the seller when the delay is over.",
  BLOCKED_RELEASE: "The operator has blocked it.",
  REJECTED: "The seller has rejected it; the money goes back to the buyer.",
};
const ENDED = { CANCELLED: "It was cancelled.", RELEASED: "The seller has the money." };

/** By a status, the commands that it allows: the path's last part, and the button's words. */
const COMMANDS = {
  PUBLISHED: [["accept", "Accept"], ["reject", "Reject"], ["reimburse", "Refund"]],
  ACCEPTED: [["validate", "Validate"], ["reimburse", "Refund"]],
  PENDING_VALIDATE: [["validate", "Validate"], ["reimburse", "Refund"]],
  PENDING_RELEASE: [["reimburse", "Refund"]],
  BLOCKED_RELEASE: [["reimburse", "Refund"]],
  REJECTED: [["reimburse", "Refund"]],
  DRAFT: [["cancel", "Cancel"]],
  PENDING_DETAILS: [["cancel", "Cancel"]],
  PENDING_PUBLISH: [["cancel", "Cancel"]],
  FAILURE: [["cancel", "Cancel"]],
};
const HOLDS = ["PUBLISHED", "ACCEPTED", "PENDING_VALIDATE", "PENDING_RELEASE", "BLOCKED_RELEASE", "REJECTED"];
const CAN_BE_PAID = ["DRAFT", "FAILURE"];

export class EscrowApi {
  constructor(base, key) {
    Object.assign(this, { base, key });
  }

  get = (path, query = {}) => this.#data("GET", path, query, "");
  post = (path, body = {}) => this.#data("POST", path, {}, JSON.stringify(body));

  async #data(method, path, query, body) {
    const url = urlOf(this.base, path.startsWith(MOUNT) ? path : MOUNT + path, query);
    const { response, answer } = await send(url, method, { Authorization: `Bearer ${this.key}` }, body);
    if (response.ok) return answer.data;
    const fields = Object.values(answer.errors ?? {}).flat().join(" ");
    throw new Refusal(response.status, response.status, fields || answer.message);
  }
}

const nameOf = ({ name, email, phone, uuid }) => name ?? email ?? phone ?? uuid;

/** The view. api: called for the EscrowApi; null while nobody has signed in. */
export class EscrowOrders {
  constructor(api) {
    Object.assign(this, { api, said: byId("escrow-said"), chosen: null, shown: "", names: new Map(), asked: 0, latest: 0 });
    byId("escrow-new").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#create();
    });
  }

  async show() {
    this.hide();
    this.timer = setInterval(() => this.refresh(), AGAIN_MS);
    await this.#showCustomers();
    await this.refresh();
  }

  hide() {
    clearInterval(this.timer);
  }

  async #showCustomers() {
    const api = this.api();
    byId("escrow-in").textContent = api ? "" : "Sign in with a merchant's secret key to see its orders.";
    byId("escrow-new").hidden = true;
    if (!api) return;
    await this.#carryOut(async () => {
      const customers = await api.get("/customers", { per_page: 100 });
      this.names = new Map(customers.map((one) => [one.self, nameOf(one)]));
      for (const [name, other] of [["buyer", 0], ["seller", 1]]) {
        const choice = byId("escrow-new").elements[name];
        choice.replaceChildren(...customers.map((one) => make("option", { value: one.id }, nameOf(one))));
        const wanted = customers.findIndex((one) => (one.email ?? "").startsWith(name));
        choice.selectedIndex = wanted < 0 ? Math.min(other, customers.length - 1) : wanted;
      }
      byId("escrow-new").hidden = false;
    });
  }

  async refresh() {
    const api = this.api();
    if (!api) return;
    const number = (this.asked += 1);
    try {
      const orders = await api.get("/orders", { per_page: PAGE });
      if (number < this.latest) return; // a later answer has overtaken this one
      this.latest = number;
      if (byId("escrow-new").hidden) await this.#showCustomers();
      byId("escrow-age").textContent = `As of ${timeOf(Date.now())}.`;
      const chosen = orders.find(({ id }) => id === this.chosen) ?? orders[0];
      const text = JSON.stringify([orders, chosen?.id]);
      if (text === this.shown) return;
      this.shown = text;
      place(byId("escrow-orders"), orders.map((order) => this.#item(order, order === chosen)));
      byId("escrow-order").dataset.status = chosen?.status ?? "";
      place(byId("escrow-order"), chosen ? this.#timeline(chosen) : [make("p", {}, "No order yet.")]);
    } catch (error) {
      byId("escrow-age").textContent = noReading(error);
    }
  }

  #item(order, isChosen) {
    const choose = () => {
      this.chosen = order.id;
      this.refresh();
    };
    const button = make("button", { type: "button", "aria-pressed": String(isChosen), onclick: choose },
      make("bdi", { className: "name" }, order.name ?? `Order ${order.id}`), ` ${order.amount} · ${order.status_nicename}`);
    return make("li", {}, button);
  }

  #timeline(order) {
    const { buyer, seller } = order.connections;
    const who = (path, role) => make("bdi", {}, this.names.get(path) ?? `${path ? "a" : "no"} ${role}`);
    const step = (time, title, more = "") =>
      make("li", { className: time ? "done" : "open" }, make("strong", {}, title), ...[time && dateOf(time), more].filter(Boolean).map((text) => ` · ${text}`));
    const paidOut = order.released_at ? `${order.payout_amount}, fee ${order.fee_amount ?? "none"}` : "";
    const refunded = order.refund.status ? `refund ${order.refund.reference_id}: ${order.refund.status}` : "";
    const end = order.cancelled_at ? step(order.cancelled_at, "Cancelled", refunded)
      : order.status === "REJECTED" ? step(null, "Rejected by the seller")
      : step(order.released_at, "Released to the seller", paidOut);
    const isStopped = ["REJECTED", "CANCELLED"].includes(order.status); // the steps to come no more are left out
    const steps = [
      [order.created_at, "Agreed"],
      [order.published_at, "Paid by the buyer", order.payin_amount ?? ""],
      [order.accepted_at, "Accepted by the seller"],
      [order.validated_at, "Validated"],
    ].filter(([time]) => time || !isStopped);
    const held = HOLDS.includes(order.status) && compare(order.value, "0") ? order.payin_amount : "nothing";
    const commands = (COMMANDS[order.status] ?? []).map(([path, words]) =>
      make("button", { type: "button", onclick: () => this.#command(order, path) }, words));
    const pay = make("button", { type: "button", onclick: () => this.#pay(order) }, "Pay from the buyer's wallet");
    return [
      make("h3", {}, make("bdi", {}, order.name ?? `Order ${order.id}`), ` · ${order.amount}`),
      make("p", {}, who(buyer, "buyer"), " buys from ", who(seller, "seller"), "."),
      make("ol", { className: "timeline" }, ...steps.map((one) => step(...one)), end),
      make("p", {}, `Held now: ${held}. ${ENDED[order.status] ?? `Next: ${NEXT[order.status] ?? order.status_nicename}`}`),
      make("p", { className: "buttons" }, ...(CAN_BE_PAID.includes(order.status) ? [pay] : []), ...commands),
    ];
  }

  #command(order, path) {
    return this.#carryOut(async () => {
      const { status_nicename: status } = await this.api().post(`/orders/${order.id}/${path}`);
      return `${order.name}: ${status}.`;
    });
  }

  #pay(order) {
    return this.#carryOut(async () => {
      const wallets = await this.api().get(`${order.connections.buyer}/wallets`);
      const wallet = wallets.find(({ currency }) => currency === order.currency);
      if (!wallet) throw new Refusal(0, 0, `The buyer has no wallet in ${order.currency}.`);
      const { status } = await this.api().post("/payins", { order_id: Number(order.id), type: "WALLET", wallet_id: Number(wallet.id) });
      return `Payment ${status}.`;
    });
  }

  #create() {
    const { name, value, buyer, seller } = byId("escrow-new").elements;
    return this.#carryOut(async () => {
      const asked = { name: name.value, value: value.value, buyer_id: Number(buyer.value), seller_id: Number(seller.value) };
      const order = await this.api().post("/orders", asked);
      this.chosen = order.id;
      return `${order.name}: ${order.status_nicename}.`;
    });
  }

  async #carryOut(act) {
    try {
      say(this.said, (await act()) ?? "", "good");
      await this.refresh();
    } catch (error) {
      say(this.said, reasonOf(error), "bad");
    }
  }
}
