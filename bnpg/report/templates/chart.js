"use strict";
// A chart drawn by Observable Plot, and what a person does to it: zoom, curves on and off, logarithmic axes, values by
// pointer and keys, downloads. Colours are classes of the style sheet, so light, dark and print need no second drawing.
const bnpgChart = (() => {
  const kept = new Map();  // what was chosen, by the name of the chart: a live page puts in its charts anew
  const HEIGHT = 270, NARROW = 420;
  const place = size => Number(size.toExponential().split("e")[1]);
  const usual = size => size < 1e-3 || size >= 1e6;
  const fine = (value, digits) => {
    const size = Math.abs(value), most = Math.min(digits, 17) - 1;
    return size >= 1e-3 && size < 1e15 ? value.toFixed(Math.max(most - place(size), 0)) : value.toExponential(most);
  };
  // With two digits of what it is told beside, an error or a width, where fewer would hide that.
  const shown = (value, beside = 0) => {
    if (value === 0 || value === null) return value === 0 ? "0" : "-";
    const size = Math.abs(value), digits = usual(size) ? 3 : 4;
    if (beside > 0 && beside < 10 ** (place(size) - digits + 1)) return fine(value, place(size) - place(beside) + 2);
    return usual(size) ? value.toExponential(2).replace(/\.?0+e/, "e") : String(Number(value.toPrecision(4)));
  };
  // Labels of an axis tell its ticks apart, whose distance is a multiple of ten to this power.
  const label = (value, power) => {
    const size = Math.abs(value), digits = size ? place(size) - power + 1 : 0;
    return digits > (usual(size) ? 3 : 4) ? fine(value, digits) : shown(value);
  };
  const make = (name, text, attributes = {}) => {
    const node = document.createElement(name);
    node.textContent = text;
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };

  function points(curve, span, logx) {
    const rows = curve.x.map((x, k) => ({ x, y: curve.y[k], low: curve.low?.[k] ?? null, high: curve.high?.[k] ?? null, error: curve.error?.[k] ?? null }));
    const first = rows.findLastIndex(row => row.x <= span[0]), last = rows.findIndex(row => row.x >= span[1]);
    return rows.slice(Math.max(first, 0), last < 0 ? undefined : last + 1).filter(row => row.y !== null && (!logx || row.x > 0));
  }

  function extent(values) {
    let low = Infinity, high = -Infinity;
    for (const value of values) if (value !== null) { low = Math.min(low, value); high = Math.max(high, value); }
    return low > high ? [0, 1] : [low, high];
  }

  function upright(curves, levels, log, lifted) {
    const values = [...curves.flatMap(one => one.rows.flatMap(row => [row.y, row.low, row.high].map(lifted))), ...levels.map(one => one.y)];
    const [low, high] = extent(log ? values.filter(value => value > 0) : values);
    if (log) { if (!(low > 0)) return [.1, 1]; const room = Math.max((high / low) ** .06, 1.1); return [low / room || Number.MIN_VALUE, Math.min(high * room, Number.MAX_VALUE)]; }
    const size = Math.max(Math.abs(low), Math.abs(high)), room = high - low > 64 * Number.EPSILON * size ? .06 * (high - low) : Math.abs(low) * .1 || 1;
    return [low - room, high + room];
  }

  // Of a logarithmic axis: powers of ten, and within few of them 2 and 5 (or all) times a power.
  function ticks(low, high, log, most) {
    if (!log) return most;
    const decades = Math.log10(high / low), parts = decades > 3 ? [1] : decades > .7 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 8], powers = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++) powers.push(10 ** power);
    const step = Math.ceil(powers.length / most);
    return powers.filter((_, k) => k % step === 0).flatMap(power => parts.map(part => part * power)).filter(tick => tick >= low && tick <= high);
  }

  // The style sheet does not go with a picture: what it says of each part is written into the part.
  const LOOKS = ["color", "fill", "fill-opacity", "stroke", "stroke-opacity", "stroke-width", "stroke-dasharray", "stroke-linejoin",
    "stroke-linecap", "font-family", "font-size", "font-weight"];
  function picture(figure, data) {
    const svg = figure.querySelector(".drawing svg"), copy = svg.cloneNode(true), ns = svg.namespaceURI;
    const width = svg.width.baseVal.value, names = [...figure.querySelectorAll(".legend button[aria-pressed=true]")];
    const parts = [...svg.querySelectorAll("*")];
    [...copy.querySelectorAll("*")].forEach((part, k) => {
      const looks = getComputedStyle(parts[k]);
      for (const look of LOOKS) part.setAttribute(look, looks.getPropertyValue(look));
      part.removeAttribute("class");
    });
    const page = getComputedStyle(figure), height = HEIGHT + 30 + 18 * names.length;
    const whole = document.createElementNS(ns, "svg"), back = document.createElementNS(ns, "rect");
    const card = getComputedStyle(figure.closest("section") ?? document.body).backgroundColor;
    for (const [key, value] of Object.entries({ width, height, viewBox: `0 0 ${width} ${height}`, fill: page.color, "font-family": "sans-serif" })) whole.setAttribute(key, value);
    for (const [key, value] of Object.entries({ width, height, fill: card })) back.setAttribute(key, value);
    const write = (text, x, y, size, fill) => {
      const line = document.createElementNS(ns, "text");
      line.textContent = text;
      for (const [key, value] of Object.entries({ x, y, "font-size": size, fill })) line.setAttribute(key, value);
      return line;
    };
    copy.setAttribute("y", 26);
    copy.removeAttribute("class");
    whole.append(back, write(data.title, 6, 18, 15, page.color), copy);
    names.forEach((one, k) => whole.append(write(`— ${one.textContent}`, 12, HEIGHT + 42 + 18 * k, 12, getComputedStyle(one.querySelector(".key")).color)));
    return whole;
  }

  function save(name, blob) {
    const link = make("a", "", { download: name, href: URL.createObjectURL(blob) });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  function download(kind, figure, data) {
    const name = `${data.name}.${kind}`, quoted = text => `"${String(text).replaceAll('"', '""')}"`;
    if (kind === "csv") {
      const rows = data.series.flatMap(one => one.x.map((x, k) => [quoted(one.label), x, one.y[k], one.low?.[k], one.high?.[k]].map(value => value ?? "").join(",")));
      save(name, new Blob([[`curve,${quoted(data.xlabel)},value,low,high`, ...rows, ""].join("\n")], { type: "text/csv" }));
      return;
    }
    const drawn = picture(figure, data), text = new XMLSerializer().serializeToString(drawn);
    if (kind === "svg") { save(name, new Blob([text], { type: "image/svg+xml" })); return; }
    const image = new Image(), canvas = make("canvas", "");
    image.onload = () => {
      canvas.width = 2 * drawn.getAttribute("width"); canvas.height = 2 * drawn.getAttribute("height");
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob(blob => save(name, blob));
    };
    image.src = `data:image/svg+xml,${encodeURIComponent(text)}`;
  }

  return figure => {
    const data = JSON.parse(figure.querySelector(".data").textContent), drawing = figure.querySelector(".drawing");
    const whole = extent(data.series.flatMap(one => one.x).concat(data.events.flatMap(one => [one.x, one.until ?? one.x])));
    if (!kept.has(data.name)) kept.set(data.name, { off: new Set(), span: null, logx: false, log: data.log, at: null });
    const state = kept.get(data.name), reading = figure.querySelector(".reading"), plot = figure.querySelector(".plot");
    const cursor = make("div", "", { class: "cursor", role: "slider", tabindex: 0, "aria-label": `Read values: ${data.title}`, "aria-valuemin": 0, "aria-valuemax": 0, "aria-valuenow": 0, "aria-valuetext": "use the arrow keys; plus and minus zoom", "aria-orientation": "horizontal" });
    const line = cursor.appendChild(make("i", "")), mark = cursor.appendChild(make("b", ""));
    let curves = [], xs = [], across, up, spots = [], seen = 0;
    // seen: what of a value the drawing lets one see; more is not read off it.
    // A logarithmic axis has no place for 0, nor for what is rounding: it is drawn at the floor, and told as it is.
    const lifted = value => (value !== null && state.log && data.floor ? Math.max(value, data.floor) : value);
    plot.append(cursor);

    function draw() {
      const width = Math.max(drawing.clientWidth, 200), narrow = width < NARROW, floor = Math.min(...data.series.flatMap(one => one.x).filter(x => x > 0));
      const span = state.span ?? (state.logx && whole[0] <= 0 ? [floor, whole[1]] : whole);
      if (span[0] === span[1]) span[1] = span[0] + 1;
      curves = data.series.filter(one => !state.off.has(one.label)).map(one => ({ ...one, rows: points(one, span, state.logx) })).filter(one => one.rows.length);
      const levels = data.levels.filter(one => !state.off.has(one.label)), [low, high] = upright(curves, levels, state.log, lifted);
      const held = value => (value === null ? null : Math.min(Math.max(lifted(value), low), high));
      const events = data.events.map((one, k) => ({ ...one, number: String(k + 1), row: k % 3 })).filter(one => (one.until ?? one.x) >= span[0] && one.x <= span[1]);
      seen = state.log ? 0 : (high - low) / 100;
      const upTicks = ticks(low, high, state.log, 6), axis = { tickSize: 0, fontVariant: "tabular-nums" };
      const labels = (from, to, log, most) => value => (log ? shown(value) : label(value, Math.floor(Math.log10((to - from) / most))));
      const upLabels = labels(low, high, state.log, 6), acrossMost = narrow ? 4 : 8;
      const broad = Math.max(...(state.log ? [0] : [low, high].map(one => upLabels(one).length)));
      const svg = Plot.plot({
        width, height: HEIGHT, marginLeft: Math.max(52, 12 + 8 * broad), marginRight: 14, marginTop: 22, marginBottom: 36,
        x: { type: state.logx ? "log" : "linear", domain: span, label: null },
        y: { type: state.log ? "log" : "linear", domain: [low, high], label: null },
        marks: [
          Plot.gridY({ className: "grid", ticks: upTicks, strokeOpacity: 1, stroke: "currentColor" }),
          Plot.axisX({ ...axis, tickFormat: labels(...span, state.logx, acrossMost), ticks: ticks(...span, state.logx, acrossMost), label: data.xlabel, labelArrow: "none" }),
          Plot.axisY({ ...axis, tickFormat: upLabels, ticks: upTicks, label: data.ylabel + (state.log && !data.ylabel.includes("logarithmic") ? " (logarithmic)" : ""), labelArrow: "none" }),
          ...events.filter(one => one.until !== null).map(one => Plot.rectY([one], { x1: "x", x2: "until", y1: low, y2: high, fill: "currentColor", className: `span ${one.style}`, clip: true })),
          ...levels.map(one => Plot.ruleY([one.y], { stroke: "currentColor", className: `level ${one.style}` })),
          ...curves.filter(one => one.low).map(one => Plot.areaY(one.rows, { x: "x", y1: row => held(row.low), y2: row => held(row.high), fill: "currentColor", className: `band ${one.style}`, clip: true })),
          ...curves.map(one => Plot.lineY(one.rows, { x: "x", y: row => held(row.y), stroke: "currentColor", className: `line ${one.style}`, clip: true })),
          ...curves.filter(one => one.dots).map(one => Plot.dot(one.rows, { x: "x", y: row => lifted(row.y), r: 2.5, fill: "currentColor", className: `dots ${one.style}`, clip: true })),
          ...events.flatMap(one => [
            Plot.ruleX([Math.max(one.x, span[0])], { stroke: "currentColor", className: `event ${one.style}` }),
            Plot.text([Math.max(one.x, span[0])], { x: x => x, text: [one.number], frameAnchor: "top", dy: 2 + 13 * one.row, fill: "currentColor", className: `event ${one.style}` }),
          ]),
        ],
      });
      svg.setAttribute("aria-hidden", "true");
      drawing.replaceChildren(svg);
      across = svg.scale("x"); up = svg.scale("y");
      xs = [...new Set(curves.flatMap(one => one.rows.map(row => row.x)))].filter(x => x >= span[0] && x <= span[1]).sort((a, b) => a - b);
      spots.forEach(one => one.remove());
      spots = curves.map(one => cursor.appendChild(make("span", "", { class: `spot ${one.style}` })));
      cursor.setAttribute("aria-valuemax", Math.max(xs.length - 1, 0));
      figure.querySelectorAll(".legend button").forEach(one => one.setAttribute("aria-pressed", !state.off.has(one.textContent)));
      tools.whole.disabled = !state.span;
      tools.logx.setAttribute("aria-pressed", state.logx);
      tools.log.setAttribute("aria-pressed", state.log);
    }

    function show(to) {
      if (!xs.length) return;
      const at = Math.max(0, Math.min(xs.length - 1, to)), x = xs[at], left = across.apply(x);
      state.at = at;
      const words = curves.map((one, k) => {
        const row = one.rows.findLast(row => row.x <= x);
        spots[k].style.display = row ? "" : "none";
        if (!row) return null;
        spots[k].style.left = `${left}px`; spots[k].style.top = `${up.apply(lifted(row.y))}px`;
        if (row.error !== null) return `${one.label}: ${shown(row.y, row.error)} ± ${shown(row.error)}`;
        if (row.low === null || row.high === null) return `${one.label}: ${shown(row.y, seen)}`;
        const width = row.high - row.low, even = Math.abs((row.high - row.y) - (row.y - row.low)) <= 1e-9 * width + 4 * Number.EPSILON * Math.abs(row.y);
        return `${one.label}: ` + (even ? `${shown(row.y, row.high - row.y)} ± ${shown(row.high - row.y)}` : `${shown(row.y, width)} (${shown(row.low, width)} to ${shown(row.high, width)})`);
      }).filter(Boolean);
      const text = `${data.xlabel} ${shown(x)}: ${words.join("; ")}`;
      cursor.setAttribute("aria-valuenow", at); cursor.setAttribute("aria-valuetext", text);
      cursor.classList.add("on"); line.style.left = `${left}px`; reading.textContent = text;
    }
    const hide = () => { cursor.classList.remove("on"); reading.textContent = ""; };
    function zoom(span) {
      if (span) { span = [Math.max(span[0], whole[0]), Math.min(span[1], whole[1])]; if (!(span[1] > span[0])) return; }
      state.span = span && (span[0] > whole[0] || span[1] < whole[1]) ? span : null;
      draw();
      if (document.activeElement === cursor) show(Math.min(state.at ?? 0, xs.length - 1));
    }
    function closer(factor) {
      const [from, to] = state.span ?? whole, middle = cursor.classList.contains("on") && state.at !== null ? xs[state.at] : (from + to) / 2;
      zoom([middle - (middle - from) * factor, middle + (to - middle) * factor]);
    }

    const box = figure.querySelector(".tools"), tools = {};
    const tool = (key, text, label, act) => {
      tools[key] = box.appendChild(make("button", text, { type: "button", "aria-label": label, title: label }));
      tools[key].addEventListener("click", event => { act(); if (event.detail) tools[key].blur(); });
    };
    tool("closer", "+", "Zoom in", () => closer(.5));
    tool("farther", "−", "Zoom out", () => closer(2));
    tool("whole", "all", "Show all", () => zoom(null));
    tool("logx", "log x", "Logarithmic horizontal axis", () => { state.logx = !state.logx; state.span = null; draw(); });
    tool("log", "log y", "Logarithmic vertical axis", () => { state.log = !state.log; draw(); });
    for (const kind of ["csv", "svg", "png"]) tool(kind, kind.toUpperCase(), `Download ${kind.toUpperCase()}`, () => download(kind, figure, data));
    figure.querySelectorAll(".legend button").forEach(one => one.addEventListener("click", event => {
      state.off.delete(one.textContent) || state.off.add(one.textContent);
      draw();
      if (event.detail) one.blur();
    }));

    const at = event => across.invert(event.clientX - cursor.getBoundingClientRect().left);
    let from = null;
    cursor.addEventListener("pointermove", event => {
      const x = at(event), near = xs.reduce((best, one, k) => (Math.abs(one - x) < Math.abs(xs[best] - x) ? k : best), 0);
      show(near);
      if (from === null) return;
      const [a, b] = [across.apply(from), across.apply(x)].sort((p, q) => p - q);
      Object.assign(mark.style, { display: "block", left: `${a}px`, width: `${b - a}px` });
    });
    cursor.addEventListener("pointerdown", event => { if (event.pointerType !== "touch") from = at(event); show(state.at ?? xs.length - 1); });
    cursor.addEventListener("pointerup", event => {
      const to = at(event), wide = from !== null && Math.abs(across.apply(to) - across.apply(from)) > 8, span = [from, to].sort((a, b) => a - b);
      from = null; mark.style.display = "none";
      if (wide) { zoom(span); cursor.blur(); }
    });
    cursor.addEventListener("dblclick", () => zoom(null));
    cursor.addEventListener("pointerleave", () => { from = null; mark.style.display = "none"; if (document.activeElement !== cursor) hide(); });
    cursor.addEventListener("focus", () => show(state.at ?? xs.length - 1));
    cursor.addEventListener("blur", hide);
    cursor.addEventListener("keydown", event => {
      const page = Math.max(1, Math.round(xs.length / 10)), here = state.at ?? xs.length - 1;
      const moves = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: page, PageDown: -page, Home: -Infinity, End: Infinity };
      const acts = { "+": () => closer(.5), "-": () => closer(2), "0": () => zoom(null), Escape: hide };
      if (event.key in moves) { event.preventDefault(); show(here + moves[event.key]); }
      else if (event.key in acts) { event.preventDefault(); acts[event.key](); }
    });
    draw();
    new ResizeObserver(() => { if (drawing.clientWidth && drawing.firstChild?.getAttribute("width") !== String(drawing.clientWidth)) draw(); }).observe(drawing);
  };
})();
