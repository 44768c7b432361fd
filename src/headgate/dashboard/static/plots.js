// Plots from JSON: <figure class="plot" data-plot="/plots/...">. The same numbers stand in a table below, for whoever cannot see them.
(() => {
  "use strict";
  const LIGHT = ["#0b6670", "#b4540a", "#5b47a8", "#2f7d32", "#b0256b", "#5c6b75", "#8a6d00", "#1560b7"];
  const DARK = ["#6cc8d1", "#f2a65e", "#b3a3f5", "#86d38a", "#f48cc0", "#aebcc6", "#e0c34f", "#8abdf7"];
  const dark = () => {
    const theme = document.documentElement.dataset.theme;
    return theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  };
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const short = (value) => {
    const size = Math.abs(value);
    if (size >= 1e9) return `${+(value / 1e9).toFixed(1)} G`;
    if (size >= 1e6) return `${+(value / 1e6).toFixed(1)} M`;
    if (size >= 1e4) return `${+(value / 1e3).toFixed(1)} k`;
    if (size >= 100 || Number.isInteger(value)) return `${Math.round(value)}`;
    return `${+value.toPrecision(3)}`;
  };
  const time = (seconds) => {
    const size = Math.abs(seconds);
    if (size === 0) return "0";
    if (size < 1e-3) return `${short(seconds * 1e6)} µs`;
    if (size < 1) return `${short(seconds * 1e3)} ms`;
    if (size < 120) return `${short(seconds)} s`;
    if (size < 7200) return `${short(seconds / 60)} m`;
    return `${short(seconds / 3600)} h`;
  };
  const money = (usd) => {
    const size = Math.abs(usd);
    return `$${size === 0 ? "0" : size >= 1000 ? short(usd) : size >= 1 ? usd.toFixed(2) : +usd.toPrecision(2)}`;
  };
  const bytes = (size) => (Math.abs(size) >= 1e9 ? `${+(size / 1e9).toFixed(1)} GB` : Math.abs(size) >= 1e6 ? `${+(size / 1e6).toFixed(1)} MB` : Math.abs(size) >= 1e3 ? `${+(size / 1e3).toFixed(1)} kB` : `${size} B`);
  const UNITS = {
    "": short,
    s: time,
    us: (value) => time(value / 1e6),
    usd: money,
    nanos: (value) => money(value / 1e9),
    share: (value) => `${+(value * 100).toPrecision(3)} %`,
    bytes,
    per_s: (value) => `${short(value)} /s`,
  };
  const words = (unit, value) => (value === null || value === undefined ? "–" : (UNITS[unit] || ((v) => `${short(v)} ${unit}`))(value));
  const pad = (number) => String(number).padStart(2, "0");
  const day = (at) => `${at.getUTCFullYear()}-${pad(at.getUTCMonth() + 1)}-${pad(at.getUTCDate())}`;
  const clock = (at) => `${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}`;
  const stamp = (seconds) => {
    const at = new Date(seconds * 1000);
    return `${day(at)} ${clock(at)}`;
  };
  // Under a tick the time of day, or the day; below it what is new: the date, or the year. All in UTC, as everywhere on these pages.
  const ticks = (_, splits, axis, space, step) => {
    let before = "";
    return splits.map((seconds) => {
      if (seconds === null || seconds === undefined) return "";
      const at = new Date(seconds * 1000);
      const [small, large] = step >= 86400 ? [day(at).slice(5), day(at).slice(0, 4)] : [clock(at), day(at)];
      const told = large === before ? small : `${small}\n${large}`;
      before = large;
      return told;
    });
  };
  const node = (name, attributes = {}, text = "") => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    return made;
  };
  const swatch = (colour, dashed) => {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    svg.setAttribute("viewBox", "0 0 12 12");
    svg.setAttribute("aria-hidden", "true");
    const rect = document.createElementNS(space, "rect");
    const shape = dashed ? { y: 4, width: 4.5, height: 4, fill: colour } : { width: 12, height: 12, rx: 2, fill: colour };
    for (const [key, value] of Object.entries(shape)) rect.setAttribute(key, value);
    if (dashed) {
      const second = rect.cloneNode();
      second.setAttribute("x", "7.5");
      svg.append(second);
    }
    svg.append(rect);
    return svg;
  };

  const drawn = new Map();

  const marks = (data) => ({
    hooks: {
      draw: (plot) => {
        const { ctx, bbox } = plot;
        ctx.save();
        ctx.lineWidth = 1;
        ctx.setLineDash([4, 3]);
        for (const mark of data.marks || []) {
          const x = plot.valToPos(mark.at, "x", true);
          if (x < bbox.left || x > bbox.left + bbox.width) continue;
          ctx.strokeStyle = css(mark.kind === "alert" ? "--bad" : "--soft");
          ctx.beginPath();
          ctx.moveTo(x, bbox.top);
          ctx.lineTo(x, bbox.top + bbox.height);
          ctx.stroke();
        }
        ctx.restore();
      },
    },
  });

  const near = (data, at) => {
    const step = data.x.length > 1 ? data.x[1] - data.x[0] : 60;
    return (data.marks || []).filter((mark) => Math.abs(mark.at - at) <= step);
  };
  const at = (data, index) => {
    const lines = data.series.map((each) => `${each.name}: ${words(each.unit || data.unit || "", each.y[index])}`);
    return [`${stamp(data.x[index])} UTC`, ...lines, ...near(data, data.x[index]).map((mark) => `↑ ${mark.text}`)].join("\n");
  };
  const follow = (data, index) => {
    if (!data.drill || index === null || index === undefined) return;
    const step = data.step || (data.x.length > 1 ? data.x[1] - data.x[0] : 3600);
    const from = data.x[index];
    location.assign(data.drill.replace("{from}", from).replace("{to}", from + step));
  };

  const table = (figure, data) => {
    const box = node("details");
    box.append(node("summary", {}, `Numbers${data.marks && data.marks.length ? " and marks" : ""}`));
    box.addEventListener("toggle", () => {
      if (!box.open || box.querySelector("table")) return;
      const wide = node("div", { class: "wide", tabindex: "0", role: "region", "aria-label": `Numbers of ${data.title || "the plot"}` });
      const made = node("table");
      made.append(node("caption", {}, data.title || "The plot"));
      const head = node("tr");
      for (const name of ["Time (UTC)", ...data.series.map((each) => each.name)]) head.append(node("th", { scope: "col" }, name));
      const thead = node("thead");
      thead.append(head);
      const body = node("tbody");
      data.x.forEach((x, index) => {
        const row = node("tr");
        row.append(node("th", { scope: "row" }, stamp(x)));
        for (const each of data.series) row.append(node("td", { class: "number" }, words(each.unit || data.unit || "", each.y[index])));
        body.append(row);
      });
      made.append(thead, body);
      wide.append(made);
      box.append(wide);
      for (const mark of data.marks || []) box.append(node("p", {}, `${stamp(mark.at)}: ${mark.text}`));
    });
    return box;
  };

  const stack = (series) => {
    const sums = [];
    return series.map((each) => each.y.map((value, index) => (sums[index] = (sums[index] || 0) + (value || 0))));
  };

  // Beside a number there is room for one line: the sum of those that add up, of times the slow ones.
  const only = (data) => {
    if (data.series.length < 2) return data;
    const sums = data.stacked ? stack(data.series).at(-1) : null;
    const one = data.series.find((each) => each.name === "p95") || data.series[0];
    return { ...data, stacked: false, marks: [], series: [sums ? { name: "all", y: sums } : one] };
  };

  const draw = (figure, whole) => {
    const data = figure.classList.contains("spark") ? only(whole) : whole;
    const old = drawn.get(figure);
    const hidden = old ? old.plot.series.slice(1).map((each) => !each.show) : [];
    if (old) { old.watch.disconnect(); old.plot.destroy(); }
    for (const extra of figure.querySelectorAll(":scope > .drawing, :scope > .legend, :scope > details, :scope > .tip, :scope > .empty")) extra.remove();
    const spark = figure.classList.contains("spark");
    const caption = figure.querySelector("figcaption");
    if (!data.x.length || data.series.every((each) => each.y.every((value) => value === null))) {
      figure.append(node("p", { class: "empty" }, spark ? "" : data.empty || "Nothing happened in this time."));
      return;
    }
    const colours = dark() ? DARK : LIGHT;
    // All of them if they are few; of many those that stand alone, which no line would show.
    const dots = (place) => {
      const own = values[place - 1], all = [];
      const few = own.filter((value) => value !== null).length < 40;
      own.forEach((value, index) => {
        if (value !== null && (few || ((own[index - 1] ?? null) === null && (own[index + 1] ?? null) === null))) all.push(index);
      });
      return all;
    };
    const series = data.series.map((each, index) => {
      const stroke = each.kind === "bad" ? css("--bad") : each.kind === "good" ? css("--good") : each.kind === "so" ? css("--so") : each.kind === "soft" ? css("--soft") : colours[(each.colour ?? index) % colours.length];
      return {
        label: each.name, stroke, width: spark ? 1.5 : 1.75, show: !hidden[index], spanGaps: false,
        fill: data.stacked || spark ? `${stroke}${data.stacked ? "66" : "22"}` : undefined,
        dash: each.dashed ? [5, 4] : undefined,
        points: { show: !spark, size: each.y.filter((value) => value !== null).length < 40 ? 5 : 3.5, filter: (_, place) => dots(place) },
      };
    });
    const values = data.stacked ? stack(data.series) : data.series.map((each) => each.y);
    // The highest sum is painted first, so that the lower ones lie on it.
    if (data.stacked) { series.reverse(); values.reverse(); }
    const place = node("div", { class: "drawing" });
    const step = data.x.length > 1 ? data.x[1] - data.x[0] : 3600;
    const legend = node("div", { class: "legend", role: "toolbar", "aria-label": "Lines" });
    const tip = node("div", { class: "tip", hidden: "" });
    if (!spark) {
      place.tabIndex = 0;
      place.setAttribute("role", "application");
      place.setAttribute("aria-roledescription", "plot");
      place.setAttribute("aria-label", `${data.title || caption.textContent}. Arrow keys move${data.drill ? ", Enter opens the requests" : ""}.`);
    }
    figure.append(place);
    const axis = { stroke: css("--soft"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line"), width: 1, size: 4 }, font: "12px system-ui, sans-serif" };
    const unit = data.unit || "";
    const height = () => (spark ? 34 : figure.classList.contains("tall") ? 260 : 180);
    const width = () => Math.max(place.clientWidth, 60);
    let index = null;
    const say = (next) => {
      index = next;
      if (next === null || next === undefined || spark) { tip.hidden = true; return; }
      tip.textContent = at(data, next);
      tip.hidden = false;
      const x = plot.valToPos(data.x[next], "x") + plot.over.offsetLeft;
      const left = x + 14 + tip.offsetWidth > figure.clientWidth ? x - 14 - tip.offsetWidth : x + 14;
      tip.style.left = `${Math.max(left, 0)}px`;
      tip.style.top = `${place.offsetTop + 6}px`;
    };
    const plot = new window.uPlot({
      width: width(), height: height(), plugins: [marks(data)],
      legend: { show: false },
      tzDate: (seconds) => window.uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      padding: spark ? [2, 2, 2, 2] : [8, 22, 0, 0],
      // Each colour between its own sum and the next.
      bands: data.stacked ? series.slice(1).map((_, index) => ({ series: [index + 1, index + 2] })) : [],
      cursor: { show: !spark, drag: { x: false, y: false }, points: { size: 7 } },
      scales: {
        x: { time: true, range: data.x.length > 1 ? undefined : (_, low, high) => [low - step, high + step] },
        y: { range: (_, low, high) => {
          const bottom = data.zero === false ? low : Math.min(low ?? 0, 0);
          const top = high === null || high === undefined ? 1 : high;
          return [bottom, top > bottom ? top + (top - bottom) * 0.08 : bottom + 1];
        } },
      },
      axes: spark ? [{ show: false }, { show: false }] : [{ ...axis, space: 76, size: 42, values: ticks }, { ...axis, size: 58, values: (_, ticks) => ticks.map((each) => words(unit, each)) }],
      series: [{}, ...series],
      hooks: { setCursor: [(self) => { if (!spark) say(self.cursor.idx); }] },
    }, [data.x, ...values], place);
    if (!spark) {
      place.addEventListener("keydown", (event) => {
        const end = data.x.length - 1;
        const moves = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
        if (event.key in moves) say(Math.min(Math.max((index ?? (moves[event.key] > 0 ? -1 : end + 1)) + moves[event.key], 0), end));
        else if (event.key === "Home") say(0);
        else if (event.key === "End") say(end);
        else if (event.key === "Escape") say(null);
        else if (event.key === "Enter") { follow(data, index); return; }
        else return;
        event.preventDefault();
      });
      place.addEventListener("blur", () => say(null));
      plot.over.addEventListener("click", () => follow(data, plot.cursor.idx));
      data.series.forEach((each, number) => {
        const own = data.stacked ? data.series.length - number : number + 1;
        const button = node("button", { type: "button", "aria-pressed": String(plot.series[own].show) });
        button.append(swatch(series[own - 1].stroke, each.dashed), each.name);
        button.addEventListener("click", () => {
          const show = !plot.series[own].show;
          plot.setSeries(own, { show });
          button.setAttribute("aria-pressed", String(show));
        });
        legend.append(button);
      });
      tip.setAttribute("aria-live", "polite");
      figure.append(...(data.series.length > 1 ? [legend] : []), tip, table(figure, data));
    }
    const watch = new ResizeObserver(() => plot.setSize({ width: width(), height: height() }));
    watch.observe(figure);
    drawn.set(figure, { plot, watch, data });
  };

  // Figures of the same data ask once; what a part that renews itself draws anew is a minute old at most.
  const read = new Map();
  const ask = async (address) => {
    const reply = await fetch(address, { headers: { accept: "application/json" }, credentials: "same-origin" });
    if (!reply.ok) throw new Error(`HTTP ${reply.status}`);
    return reply.json();
  };
  const known = (address) => {
    const last = read.get(address);
    if (last && performance.now() - last.at < 55000) return last;
    const asked = { at: performance.now(), data: null, reply: ask(address) };
    asked.reply.then((data) => { asked.data = data; }, () => { if (read.get(address) === asked) read.delete(address); });
    read.set(address, asked);
    return asked;
  };
  const load = async (figure) => {
    try {
      const found = known(figure.dataset.plot);
      figure.dataset.drawn = "yes";
      draw(figure, found.data || await found.reply);
    } catch (failure) {
      if (!figure.querySelector(".drawing")) {
        figure.querySelector(".empty")?.remove();
        figure.append(node("p", { class: "empty" }, "The plot could not be read; it is tried again."));
      }
      figure.dataset.drawn = "failed";
      console.info(`${figure.dataset.plot}: ${failure.message}`);
    }
  };

  const loadAll = (root) => {
    for (const figure of root.querySelectorAll("figure.plot[data-plot]")) if (!figure.dataset.drawn) load(figure);
  };
  const again = () => {
    if (document.hidden || document.documentElement.hasAttribute("data-paused")) return;
    for (const figure of [...drawn.keys()]) {
      if (!figure.isConnected) { drawn.get(figure).watch.disconnect(); drawn.get(figure).plot.destroy(); drawn.delete(figure); }
    }
    for (const figure of document.querySelectorAll("figure.plot[data-plot]")) if (!figure.contains(document.activeElement)) load(figure);
  };
  const recolour = () => { for (const [figure, { data }] of [...drawn]) draw(figure, data); };

  loadAll(document);
  document.addEventListener("htmx:afterSettle", (event) => loadAll(event.target.parentElement || document));
  document.addEventListener("headgate:theme", recolour);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
  setInterval(again, 60000);
})();
