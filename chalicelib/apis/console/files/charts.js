// Two charts: candles of the last trades, and cumulative depth. uPlot draws them.

import { forPeople } from "./decimals.js";

const CANDLES_MAX = 240;
const CANDLES_MIN = 40; // as many fit into the chart at least, so that a few are not far apart
const [FAR, FAR_FROM] = [4, 6]; // times the median's distance from the best price, of so many levels
const SECONDS = [10, 60, 300, 3_600, 86_400];
const DAY = "\n{YYYY}-{MM}-{DD}";
const TIMES = [[86_400, "{YYYY}-{MM}-{DD}"], [60, "{HH}:{mm}", null, null, DAY], [1, "{HH}:{mm}:{ss}", null, null, DAY]]; // uPlot's form
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function axes(bottom) {
  const [stroke, line] = [colour("--text-soft"), colour("--line")];
  const grid = { stroke: line, width: 1 };
  return [{ stroke, grid, ticks: grid, ...bottom }, { stroke, grid, ticks: grid, size: 70, values: numbers }];
}

const numbers = (_, all) => all.map((value) => forPeople(String(value)));

/** A chart in an element; made anew when its colours change, resized with the element. */
class Chart {
  constructor(element, options) {
    Object.assign(this, { element, options, data: null });
    new ResizeObserver(() => this.chart?.setSize(this.size())).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw(this.data, true));
  }

  size = () => ({ width: this.element.clientWidth, height: this.element.clientHeight });

  draw(data, isNew = false) {
    this.data = data;
    if (!data) return;
    if (this.chart && !isNew) {
      this.chart.setData(data);
      return;
    }
    this.chart?.destroy();
    this.chart = new window.uPlot({ ...this.size(), ...this.options() }, data, this.element);
  }
}

/** Candles of the trades known. seconds: of each; 0: the shortest of SECONDS by which all of them fit. */
export class Candles {
  constructor(element, said) {
    Object.assign(this, { said, trades: [], seconds: 0, shown: 60 });
    this.chart = new Chart(element, () => ({
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      scales: {
        x: { time: true, range: (_, first, last) => [Math.min(first, last - CANDLES_MIN * this.shown) - this.shown, last + this.shown] },
        y: { range: (_, low, high) => this.range(low, high) },
      },
      axes: axes({ values: TIMES }),
      series: [{}, ...["Open", "High", "Low", "Close"].map((label) => ({ label, paths: () => null, points: { show: false } }))],
      hooks: { draw: [(plot) => drawCandles(plot, this.shown)] },
    }));
  }

  range(low, high) {
    const margin = (high - low || Math.abs(high) * 0.002 || 1) * 0.06;
    return [low - margin, high + margin];
  }

  begin(trades) {
    this.trades = trades.slice().reverse();
    this.draw();
  }

  add(trade) {
    this.trades.push(trade);
    if (this.trades.length > 5_000) this.trades.splice(0, 1_000);
  }

  draw() {
    const span = this.trades.length ? (Number(this.trades.at(-1).timestamp) - Number(this.trades[0].timestamp)) / 1000 : 0;
    this.shown = this.seconds || (SECONDS.find((seconds) => span / seconds <= CANDLES_MAX) ?? SECONDS.at(-1));
    const found = new Map();
    for (const { timestamp, price } of this.trades) {
      const start = Math.floor(Number(timestamp) / 1000 / this.shown) * this.shown;
      const [value, candle] = [Number(price), found.get(start)];
      if (!candle) found.set(start, [value, value, value, value]);
      else found.set(start, [candle[0], Math.max(candle[1], value), Math.min(candle[2], value), value]);
    }
    const starts = [...found.keys()].sort((a, b) => a - b).slice(-CANDLES_MAX);
    const column = (place) => starts.map((start) => found.get(start)[place]);
    this.said.textContent = starts.length ? "" : "No trade yet.";
    this.chart.draw([starts, column(0), column(1), column(2), column(3)]);
  }
}

function drawCandles(plot, seconds) {
  const { ctx: context } = plot;
  const [starts, opens, highs, lows, closes] = plot.data;
  const width = Math.max(2, Math.min(14, plot.valToPos(seconds, "x", true) - plot.valToPos(0, "x", true)) * 0.7);
  const [up, down] = [colour("--buy"), colour("--sell")];
  context.save();
  starts.forEach((start, place) => {
    const middle = Math.round(plot.valToPos(start, "x", true));
    const [open, high, low, close] = [opens, highs, lows, closes].map((all) => plot.valToPos(all[place], "y", true));
    context.fillStyle = closes[place] >= opens[place] ? up : down;
    context.fillRect(middle - 1, high, 2, Math.max(1, low - high));
    context.fillRect(middle - width / 2, Math.min(open, close), width, Math.max(2, Math.abs(open - close)));
  });
  context.restore();
}

/** Return a side's levels without those far away from most of them, which would leave no room for the others. */
function near(levels) {
  const distances = levels.map(({ price }) => Math.abs(Number(price) - Number(levels[0].price)));
  return levels.length < FAR_FROM ? levels : levels.filter((_, place) => distances[place] <= FAR * distances[levels.length >> 1]);
}

export class DepthChart {
  constructor(element, said) {
    this.said = said;
    this.chart = new Chart(element, () => {
      const stepped = window.uPlot.paths.stepped;
      const side = (label, name, align) => ({
        label,
        stroke: colour(name),
        fill: colour(`${name}-soft`),
        paths: stepped({ align }),
        points: { show: false },
      });
      return {
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false } },
        scales: { x: { time: false } },
        axes: axes({ values: numbers }),
        series: [{}, side("Bids", "--buy", -1), side("Asks", "--sell", 1)],
      };
    });
  }

  draw(allBids, allAsks, base) {
    const [bids, asks] = [near(allBids), near(allAsks)];
    const [rising, falling] = [asks, bids.slice().reverse()];
    const prices = [...falling, ...rising].map(({ price }) => Number(price));
    const totals = (levels) => levels.map(({ total }) => Number(total));
    const empty = (levels) => levels.map(() => null);
    const [bid, ask] = [bids.at(-1), asks.at(-1)];
    this.said.textContent = prices.length
      ? `${bid ? bid.total : 0} ${base} bid and ${ask ? ask.total : 0} ${base} asked on the levels shown.`
      : "Nothing rests in this book.";
    this.chart.draw([prices, [...totals(falling), ...empty(rising)], [...empty(falling), ...totals(rising)]]);
  }
}
