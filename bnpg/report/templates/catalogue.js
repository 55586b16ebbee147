"use strict";
// The table of many runs: filter, sort, group and select; curves and differences of what is selected. Rows come as
// server-sent events, only those that changed. Filters mean what bnpg/catalogue/selection.py says.
const bnpgCatalogue = (() => {
  const NUMBERS = { value: "value", optimality_gap: "optimality gap", nash_gap: "Nash gap", return_mean: "return" };
  const FIRST = ["run", "state", "game"], NO_DIFFERENCE = ["game", "rounds", "seed", "evaluate-every", "save-policy", "trace"];
  const MOST_SETTINGS = 6, MOST_COMPARED = 60, REDRAW = 3000;
  const rows = new Map(), lines = new Map(), selected = new Set();
  const state = { sort: "created", down: true, columns: [], overlay: "", due: null };
  const at = id => document.getElementById(id);
  const make = (name, text, attributes = {}) => {
    const node = document.createElement(name);
    if (text !== undefined) node.textContent = text;
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };
  const plain = name => name.replaceAll("-", "_");
  const cell = (row, field) => (field in row ? row[field] : row.settings[field]) ?? null;
  const known = () => [...new Set([...rows.values()].flatMap(row => [...Object.keys(row), ...Object.keys(row.settings)]))].filter(name => name !== "settings" && name !== "id");
  function shown(value) {
    if (value === null || value === "") return "-";
    if (typeof value !== "number") return String(value);
    const size = Math.abs(value);
    return value !== 0 && (size < 1e-3 || size >= 1e6) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
  }

  const COMPARE = { "=": (a, b) => a === b, "!=": (a, b) => a !== b, "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b };
  function holds(value, sign, wanted) {
    if (typeof value === "number") {
      const number = wanted.trim() === "" ? NaN : Number(wanted);
      return Number.isNaN(number) ? sign === "!=" : COMPARE[sign](value, number);
    }
    if (value === null) return sign === "!=" || (sign === "=" && wanted === "");
    return COMPARE[sign](String(value).toLowerCase(), wanted.toLowerCase());
  }
  function choose(text) {
    let chosen = [...rows.values()];
    for (const term of (text.match(/(?:[^\s"]|"[^"]*")+/g) ?? []).map(one => one.replaceAll('"', ""))) {
      const found = /^([A-Za-z_-]+)(!=|<=|>=|=|<|>)(.*)$/s.exec(term);
      if (!found) {
        chosen = chosen.filter(row => ["run", "game", "dag", "state"].some(name => String(cell(row, name) ?? "").toLowerCase().includes(term.toLowerCase())));
        continue;
      }
      const field = known().find(name => plain(name) === plain(found[1]));
      if (!field) { if (rows.size) return { chosen: [], wrong: found[1] }; continue; }
      chosen = chosen.filter(row => holds(cell(row, field), found[2], found[3]));
    }
    return { chosen, wrong: "" };
  }
  function sort(chosen) {
    const having = chosen.filter(row => cell(row, state.sort) !== null), rest = chosen.filter(row => cell(row, state.sort) === null);
    const turn = state.down ? -1 : 1;
    having.sort((a, b) => {
      const x = cell(a, state.sort), y = cell(b, state.sort);
      const order = typeof x === "number" && typeof y === "number" ? x - y : String(x) < String(y) ? -1 : String(x) > String(y) ? 1 : 0;
      return order ? turn * order : a.run < b.run ? -1 : 1;
    });
    return [...having, ...rest];
  }
  function differing(chosen) {
    const names = new Set(chosen.flatMap(row => Object.keys(row.settings)));
    return [...names].filter(name => new Set(chosen.filter(row => Object.keys(row.settings).length).map(row => JSON.stringify(row.settings[name] ?? null))).size > 1);
  }
  function median(chosen, name) {
    const values = chosen.map(row => row[name]).filter(value => value !== null).sort((a, b) => a - b), half = values.length / 2;
    return values.length ? (values[Math.floor(half)] + values[Math.ceil(half - 1)]) / 2 : null;
  }

  function head() {
    const row = make("tr");
    row.append(make("th", "", { scope: "col" }));
    row.firstChild.append(make("span", "selected", { class: "hidden" }));
    for (const [field, words] of state.columns) {
      const sorted = state.sort === field, th = make("th", undefined, { scope: "col", "aria-sort": sorted ? (state.down ? "descending" : "ascending") : "none" });
      const button = th.appendChild(make("button", words + (sorted ? (state.down ? " ▼" : " ▲") : ""), { type: "button", "data-field": field }));
      button.addEventListener("click", () => { state.down = state.sort === field ? !state.down : field in NUMBERS; state.sort = field; draw(); });
      row.append(th);
    }
    const focused = document.activeElement?.dataset?.field;
    at("runs-table").tHead.replaceChildren(row);
    if (focused) at("runs-table").tHead.querySelector(`[data-field="${focused}"]`)?.focus();
  }
  function line(row) {
    let tr = lines.get(row.run);
    if (!tr) {
      tr = make("tr");
      const box = make("input", undefined, { type: "checkbox", "aria-label": `Select ${row.run}` });
      box.addEventListener("change", () => { box.checked ? selected.add(row.run) : selected.delete(row.run); chosenChanged(); });
      tr.append(make("td"));
      tr.firstChild.append(box);
      lines.set(row.run, tr);
    }
    tr.firstChild.firstChild.checked = selected.has(row.run);
    if (tr.shows === row && tr.columns === state.columns) return tr;
    tr.shows = row; tr.columns = state.columns;
    const cells = state.columns.map(([field], k) => {
      const td = make(k === 0 ? "th" : "td", undefined, k === 0 ? { scope: "row" } : {});
      if (field === "run") td.append(row.state === "unreadable" ? make("span", row.run) : make("a", row.run, { href: `run/${row.id}`, target: "_blank" }));
      else if (field === "rounds") td.textContent = row.rounds === null ? "-" : row.rounds === row.rounds_total ? String(row.rounds) : `${row.rounds} of ${shown(row.rounds_total)}`;
      else if (field === "created") td.textContent = String(row.created).slice(0, 16).replace("T", " ");
      else if (field === "state") { td.append(make("span", row.state, { class: `state-${row.state}` })); if (row.why) td.append(make("small", row.why)); }
      else td.textContent = shown(cell(row, field));
      return td;
    });
    tr.replaceChildren(tr.firstChild, ...cells);
    return tr;
  }
  function draw() {
    const { chosen, wrong } = choose(at("filter").value), ordered = sort(chosen), group = at("group").value;
    const settings = differing(chosen).filter(name => !NO_DIFFERENCE.includes(name)).slice(0, MOST_SETTINGS);
    const measured = Object.keys(NUMBERS).filter(name => chosen.some(row => row[name] !== null));
    const columns = [...FIRST.map(name => [name, name]), ...settings.map(name => [name, name]), ["seed", "seed"], ["rounds", "rounds"], ...measured.map(name => [name, NUMBERS[name]]), ["created", "began (UTC)"]];
    if (JSON.stringify(columns) !== JSON.stringify(state.columns)) state.columns = columns;
    head();
    const groups = new Map();
    for (const row of ordered) {
      const key = group ? shown(cell(row, group)) : "";
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(row);
    }
    const body = [];
    for (const [key, members] of groups) {
      if (group) {
        const tr = make("tr", undefined, { class: "group" }), all = members.every(row => selected.has(row.run));
        const box = make("input", undefined, { type: "checkbox", "aria-label": `Select all with ${group} ${key}` });
        box.checked = all;
        box.addEventListener("change", () => { members.forEach(row => (box.checked ? selected.add(row.run) : selected.delete(row.run))); draw(); chosenChanged(); });
        const told = measured.map(name => `median ${NUMBERS[name]} ${shown(median(members, name))}`);
        tr.append(make("td"), make("th", [`${group} ${key}: ${members.length} run${members.length > 1 ? "s" : ""}`, ...told].join(", "), { colspan: columns.length, scope: "rowgroup" }));
        tr.firstChild.append(box);
        body.push(tr);
      }
      body.push(...members.map(line));
    }
    const tbody = at("runs-table").tBodies[0], focused = document.activeElement;
    if (body.length !== tbody.rows.length || body.some((tr, k) => tr !== tbody.rows[k])) {
      tbody.replaceChildren(...body);
      if (focused && tbody.contains(focused)) focused.focus();
    }
    const words = wrong ? `There is no column or setting ${wrong}.` : rows.size ? `${chosen.length} of ${rows.size} runs, ${selected.size} selected` : "No run is here yet; this page shows the first when it begins.";
    if (at("found").textContent !== words) at("found").textContent = words;
  }

  function compare() {
    const chosen = [...selected].map(name => rows.get(name)).filter(Boolean), place = at("settings"), names = differing(chosen);
    if (chosen.length < 2) { place.replaceChildren(make("p", "Select two runs or more to see in which settings they differ.", { class: "missing" })); return; }
    if (!names.length) { place.replaceChildren(make("p", `Nothing: the ${chosen.length} runs are one experiment.`)); return; }
    const scroll = make("div", undefined, { class: "scroll", tabindex: 0, role: "region", "aria-label": "Settings that differ" }), table = scroll.appendChild(make("table"));
    table.append(make("caption", `Settings that differ among ${chosen.length} selected runs` + (chosen.length > MOST_COMPARED ? `; the first ${MOST_COMPARED} are shown` : "")));
    const top = table.createTHead().insertRow();
    for (const name of ["run", ...names]) top.append(make("th", name, { scope: "col" }));
    const body = table.createTBody();
    for (const row of chosen.slice(0, MOST_COMPARED)) {
      const tr = body.insertRow();
      tr.append(make("th", row.run, { scope: "row" }), ...names.map(name => make("td", shown(row.settings[name] ?? null))));
    }
    place.replaceChildren(scroll);
  }
  async function overlay() {
    state.due = null;
    const chosen = [...selected].map(name => rows.get(name)).filter(row => row && row.state !== "unreadable");
    at("nothing-selected").hidden = chosen.length > 0;
    if (!chosen.length) { at("overlay").replaceChildren(); state.overlay = ""; return; }
    if (at("overlay").contains(document.activeElement)) { later(); return; }
    const query = new URLSearchParams({ measure: at("measure").value, runs: chosen.map(row => row.id).join(","), group: at("group").value });
    try {
      const answer = await fetch(`overlay?${query}`), html = await answer.text();
      if (!answer.ok) { at("overlay").replaceChildren(make("p", html, { class: "missing" })); state.overlay = ""; return; }
      if (html === state.overlay) return;
      state.overlay = html;
      const open = [...at("overlay").querySelectorAll("details[open]")].map(one => one.id);
      at("overlay").innerHTML = html;
      open.forEach(id => { const one = at(id); if (one) one.open = true; });
      bnpg.enhance(at("overlay"));
    } catch { later(); }  // the server is away; its stream says so
  }
  const later = () => { state.due ??= setTimeout(overlay, REDRAW); };
  function chosenChanged() { draw(); compare(); clearTimeout(state.due); state.due = null; overlay(); }

  function take({ changed, removed }) {
    for (const row of changed) rows.set(row.run, row);
    for (const name of removed) { rows.delete(name); lines.delete(name); selected.delete(name); }
    const names = known().filter(name => !(name in NUMBERS)), select = at("group"), kept = select.value;
    if (select.options.length !== names.length + 1) {
      select.replaceChildren(make("option", "nothing", { value: "" }), ...names.map(name => make("option", name, { value: name })));
      select.value = kept;
    }
    draw();
    if ([...changed.map(row => row.run), ...removed].some(name => selected.has(name))) { compare(); later(); }
  }
  at("filter").addEventListener("input", draw);
  at("filter").form.addEventListener("submit", event => event.preventDefault());
  at("group").addEventListener("change", chosenChanged);
  at("measure").addEventListener("change", () => { clearTimeout(state.due); overlay(); });
  at("select-all").addEventListener("click", () => { choose(at("filter").value).chosen.forEach(row => selected.add(row.run)); chosenChanged(); });
  at("select-none").addEventListener("click", () => { selected.clear(); chosenChanged(); });
  compare();
  return { take, choose: text => choose(text).chosen.map(row => row.run) };
})();
