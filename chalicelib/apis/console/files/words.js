// What happened instead of a success, in words for people.

import { NoAnswer, Refusal } from "./send.js";

const HELP = {
  40010: "Order a larger amount.",
  40011: "Lower the amount or the price, or cancel an order that holds funds.",
  40090: "The market takes no orders now: it is paused or halted.",
  40100: "Sign in again; compare this machine's clock if the signature is out of time.",
  40300: "This token may only read, or the customer is frozen.",
  42900: "Too many requests: wait a moment.",
  50000: "Whether it was carried out is not known: look at the list.",
  503: "The service is in maintenance. Nothing was changed.",
};

/** Return why a read failed; whether it was carried out is no question then. */
export const noReading = (error) => (error instanceof NoAnswer ? error.message : reasonOf(error));

export function reasonOf(error) {
  if (error instanceof NoAnswer) return `${error.message} Whether it was carried out is not known: look at the list.`;
  if (!(error instanceof Refusal)) throw error;
  return `Refused: ${error.message} ${HELP[error.code] ?? ""}`.trim();
}
