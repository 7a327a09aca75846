// Live data of one market: by WebSocket where the service has one, otherwise by asking again and by long poll.

import { Depth } from "./depth.js";
import { parseJson } from "./decimals.js";
import { inTime, Refusal } from "./send.js";

const PING_MS = 25_000;
const SILENT_MS_MAX = 50_000; // a ticker is repeated every 25 to 35 seconds
const PAUSE_MS = 500;
const PAUSE_MS_MAX = 15_000;
const FAILURES_BEFORE_ASKING = 3;
const ASK_MS = 2_000;
const WAIT_S = 20;
const PRIVATE = ["order_status", "balance"];

/** Follows a market until it is closed. Calls on.depth(depth, changed), on.trade(row), on.ticker(body), on.account(),
    on.begins() and on.state({mode, dueMs}). mode: connecting, live, asking. */
export class Live {
  constructor(api, websocketUrl, pair, on) {
    Object.assign(this, { api, websocketUrl, pair, on, depth: new Depth(), isClosed: false, isAnswered: false, failures: 0 });
    this.timers = new Set();
    this.asked = new AbortController();
    if (websocketUrl) this.#connect();
    else this.#askAgain();
  }

  close() {
    this.isClosed = true;
    this.socket?.close();
    this.asked.abort();
    for (const timer of this.timers) clearTimeout(timer);
  }

  #later(ms, step) {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      if (!this.isClosed) step();
    }, ms);
    this.timers.add(timer);
    return timer;
  }

  #isAsking() {
    return !this.websocketUrl || this.failures >= FAILURES_BEFORE_ASKING;
  }

  /** Tell the state while there is no WebSocket. dueMs: when it connects again; undefined: it does so now. */
  #tell(dueMs) {
    this.dueMs = dueMs;
    this.on.state({ mode: this.#isAsking() && this.isAnswered ? "asking" : "connecting", dueMs });
  }

  #connect() {
    this.#tell();
    const socket = (this.socket = new WebSocket(this.websocketUrl));
    let heardMs = Date.now();
    socket.onopen = () => {
      this.#subscribe(["orderbook/level_2_delta", "trade", "ticker"].map((topic) => `${topic}@${this.pair}`));
      this.#followAccount();
    };
    socket.onmessage = ({ data }) => {
      heardMs = Date.now();
      if (!this.isClosed && socket === this.socket) this.#hear(parseJson(data));
    };
    const isAlive = () => socket === this.socket && socket.readyState <= WebSocket.OPEN;
    const ping = () => {
      if (!isAlive()) return;
      if (Date.now() - heardMs > SILENT_MS_MAX) socket.close();
      else if (socket.readyState === WebSocket.OPEN) socket.send('{"method":"ping"}');
      this.#later(PING_MS, ping);
    };
    this.#later(PING_MS, ping);
    socket.onclose = () => {
      if (this.isClosed || socket !== this.socket) return;
      this.failures += 1;
      const pauseMs = Math.min(PAUSE_MS_MAX, PAUSE_MS * 2 ** Math.min(this.failures - 1, 8)) * (0.5 + Math.random() / 2);
      this.#tell(Date.now() + pauseMs);
      this.#later(pauseMs, () => this.#connect());
      if (this.failures === FAILURES_BEFORE_ASKING) this.#askAgain();
    };
  }

  #subscribe(topics, more = {}) {
    if (this.socket.readyState === WebSocket.OPEN) {
      this.socket.send(JSON.stringify({ method: "subscribe", topics, ...more }));
    }
  }

  async #followAccount() {
    if (!this.api.signer) return;
    const socket = this.socket;
    try {
      const { ticket } = await this.api.post("/ticket", {});
      if (socket === this.socket) this.#subscribe(PRIVATE, { ticket });
    } catch (error) {
      const isFinal = error instanceof Refusal && [401, 403].includes(error.status);
      if (!isFinal && socket === this.socket) this.#later(PAUSE_MS, () => this.#followAccount());
    }
  }

  #hear({ id, topic, body }) {
    const [name] = topic.split("@");
    const isAnswer = Number(id) === -1;
    if (topic === "error" && /cannot be read now/.test(body.message)) {
      const again = / ?(\S+) cannot be read now/.exec(body.message)?.[1];
      if (again) this.#later(1_000, () => this.#subscribe([again]));
    }
    if (topic === "error" || topic === "system" || topic === "pong") return;
    if (isAnswer) {
      if (name === "trade") this.on.begins();
      if (name === "balance") this.on.account();
    } else if (name === "trade") {
      this.on.trade(body);
    } else if (name === "ticker") {
      this.on.ticker(body);
    } else if (name === "orderbook/level_2_delta") {
      this.#takeDepth(Number(id), body);
    } else {
      this.on.account(name, body);
    }
  }

  #takeDepth(id, body) {
    const changed = this.depth.take(body, id === 1);
    if (id === 1) {
      [this.failures, this.isAnswered] = [0, false];
      this.on.state({ mode: "live" });
    }
    this.on.depth(this.depth, id === 1 ? [] : changed);
    clearTimeout(this.checking); // several messages may be one entry: the hash is that of the last
    this.checking = this.#later(250, () => {
      if (!this.depth.agrees(body.hash)) this.socket.close(); // begins anew with a snapshot
    });
  }

  /** Ask for the market again and again, and wait for the customer's events, until a WebSocket is live. */
  async #askAgain() {
    this.#waitForEvents();
    const goesOn = () => !this.isClosed && this.#isAsking();
    while (goesOn()) {
      try {
        const [depth, ticker] = await Promise.all([
          this.api.get("/public/orders/level-2", { pair: this.pair }),
          this.api.get(`/public/tickers/${this.pair}`),
        ]);
        if (!goesOn()) return;
        this.depth.take(depth, true);
        this.isAnswered = true;
        this.#tell(this.dueMs);
        this.on.depth(this.depth, []);
        this.on.ticker(ticker);
        this.on.begins();
      } catch (error) {
        this.isAnswered = false;
        if (goesOn()) this.#tell(Date.now() + ASK_MS);
      }
      await new Promise((done) => setTimeout(done, ASK_MS));
    }
  }

  async #waitForEvents() {
    let cursor;
    while (this.api.signer && !this.isClosed && this.#isAsking()) {
      try {
        const more = { headers: { Prefer: `wait=${WAIT_S}` }, signal: AbortSignal.any([this.asked.signal, inTime()]) };
        const page = await this.api.get("/events", { after: cursor, limit: 100 }, more);
        cursor = page.cursor;
        if (page.events.length) this.on.account();
      } catch (error) {
        if (error instanceof Refusal && error.status === 410) cursor = undefined;
        await new Promise((done) => setTimeout(done, ASK_MS));
      }
    }
  }
}
