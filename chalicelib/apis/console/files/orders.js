// The customer's open orders of a market: amend and cancel.

import { forPeople, isPositive } from "./decimals.js";
import { byId, make, row, say, showRows, timeOf } from "./page.js";
import { reasonOf } from "./words.js";

const PAGE = 100;

/** Return an order's limit price; "" of a trailing sell without one, of which the desk answers 0 or nothing. */
const priceOf = ({ price }) => (price != null && isPositive(price) ? price : "");

export class Orders {
  /** now: {api, market}. */
  constructor(now) {
    Object.assign(this, { now, body: byId("orders"), said: byId("orders-said"), amended: null, number: 0 });
    byId("cancel-all").addEventListener("click", () => this.#cancelAll());
    byId("amend-close").addEventListener("click", () => byId("amend-dialog").close());
    byId("amend-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#amend();
    });
  }

  /** Read the open orders again and show them; an answer that a later one has overtaken is not shown. */
  async refresh() {
    const { api, market } = this.now();
    const number = (this.number += 1);
    const page = api.signer ? await api.get("/orders/open", { pair: market.symbol, page_size: PAGE }) : { orders: [] };
    if (number !== this.number) return;
    showRows(this.body, page.orders, (order) => this.#row(order), api.signer ? "None." : "Sign in to see yours.");
    byId("cancel-all").disabled = !page.orders.length;
    const more = page.pagination?.nc ? ` The newest ${PAGE} are shown.` : "";
    byId("orders-title").textContent = `Your open orders${page.orders.length ? ` (${page.orders.length})` : ""}${more}`;
  }

  #row(order) {
    const what = `${order.side} order of ${order.requested_amount} at ${priceOf(order) || "the best price"}`;
    const button = (text, act) =>
      make("button", { type: "button", "aria-label": `${text} the ${what}`, onclick: act }, text);
    return row(
      timeOf(order.create_date),
      make("td", { className: order.side }, order.side),
      order.type.replace("_", " "),
      make("td", { className: "number" }, forPeople(priceOf(order) || "best")),
      make("td", { className: "number" }, forPeople(order.requested_amount)),
      make("td", { className: "number" }, forPeople(order.executed_amount)),
      order.status.replaceAll("_", " "),
      make("td", {}, button("Amend", () => this.#open(order)), " ", button("Cancel", (event) => this.#cancel(order, event.target))),
    );
  }

  async #cancel(order, button) {
    button.disabled = true;
    await this.#carryOut(this.said, async () => {
      await this.now().api.post("/orders/cancel", { id: order.id });
      return "Cancelled; what it held is available again.";
    });
    button.disabled = false;
  }

  async #cancelAll() {
    await this.#carryOut(this.said, async () => {
      const { api, market } = this.now();
      const closed = (await api.remove("/orders/all", { pair: market.symbol })).filter(({ success }) => success);
      return `${closed.length} cancelled.`;
    });
  }

  #open(order) {
    this.amended = order;
    const { price, amount } = byId("amend-form").elements;
    [price.value, amount.value] = [priceOf(order), order.requested_amount];
    price.closest("label").hidden = !priceOf(order); // a trailing sell without one gets none (O24)
    say(byId("amend-said"), "");
    byId("amend-dialog").showModal();
  }

  async #amend() {
    const { price, amount } = byId("amend-form").elements;
    const asked = { order_id: this.amended.id };
    if (price.value.trim() !== priceOf(this.amended)) asked.unit_price = price.value.trim();
    if (amount.value.trim() !== this.amended.requested_amount) asked.amount = amount.value.trim();
    const wrong = [asked.unit_price, asked.amount].some((text) => text !== undefined && !isPositive(text));
    if (wrong || Object.keys(asked).length === 1) {
      say(byId("amend-said"), wrong ? "Type numbers above 0." : "Change the price or the amount.", "bad");
      return;
    }
    const isDone = await this.#carryOut(byId("amend-said"), async () => {
      await this.now().api.put("/orders", asked);
      return "Amended.";
    });
    if (isDone) {
      byId("amend-dialog").close();
      say(this.said, "Amended.", "good");
    }
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
