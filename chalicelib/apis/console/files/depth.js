// One market's depth: levels by price, kept by the messages of the topic orderbook/level_2_delta, and checked by their
// hash (docs/trade-desk.md, R33).

import { add, compare, isPositive } from "./decimals.js";

const HASHED_LEVELS = 10;

const TABLE = Array.from({ length: 256 }, (_, number) => {
  let value = number;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value >>> 0;
});

function crc32(text) {
  let value = 0xffffffff;
  for (let place = 0; place < text.length; place += 1) value = TABLE[(value ^ text.charCodeAt(place)) & 255] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

const hashed = (number) => number.replace(".", "").replace(/^0+/, "");

export class Depth {
  constructor() {
    this.sides = { bids: new Map(), asks: new Map() };
    this.sequence = null;
  }

  /** Take a message's levels; the first one is a snapshot. Return the prices that changed. */
  take(body, isSnapshot) {
    if (isSnapshot) this.sides = { bids: new Map(), asks: new Map() };
    for (const name of ["bids", "asks"]) {
      for (const { price, amount } of body[name]) {
        if (isPositive(amount)) this.sides[name].set(price, amount);
        else this.sides[name].delete(price);
      }
    }
    this.sequence = body.sequence ?? null;
    return [...body.bids, ...body.asks].map(({ price }) => price);
  }

  /** Return the best levels of a side with what they sum up to: [{price, amount, total}]. */
  best(name, most) {
    const sign = name === "bids" ? -1 : 1;
    const prices = [...this.sides[name].keys()].sort((a, b) => sign * compare(a, b)).slice(0, most);
    let total = "0";
    return prices.map((price) => {
      const amount = this.sides[name].get(price);
      total = add(total, amount);
      return { price, amount, total };
    });
  }

  /** Return whether this depth has a message's hash. */
  agrees(hash) {
    const levels = [...this.best("bids", HASHED_LEVELS), ...this.best("asks", HASHED_LEVELS)];
    return crc32(levels.map(({ price, amount }) => hashed(price) + hashed(amount)).join("")) === Number(hash);
  }
}
