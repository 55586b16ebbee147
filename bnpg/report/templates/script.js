"use strict";
// What a page can do: turn over heat maps, choose a step, copy, change colours.
// Choices live in `chosen`, so that a section that is replaced while the page is open shows them again.
const bnpg = (() => {
  const chosen = { state: 0, which: "after", step: null };
  const make = (name, text, attributes = {}) => {
    const node = document.createElement(name);
    if (text !== undefined) node.textContent = text;
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  };

  // Black or white, whichever can be read on a cell: one of the two always has a contrast of 4.5 and more.
  const inks = new Map(), dot = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  function ink(cell) {
    const colour = getComputedStyle(cell).backgroundColor;
    if (!inks.has(colour)) {
      dot.fillStyle = colour;
      dot.fillRect(0, 0, 1, 1);
      const [red, green, blue] = [...dot.getImageData(0, 0, 1, 1).data].map(part => {
        const share = part / 255;
        return share <= .04045 ? share / 12.92 : ((share + .055) / 1.055) ** 2.4;
      });
      inks.set(colour, .2126 * red + .7152 * green + .0722 * blue > .179 ? "#000" : "#fff");
    }
    cell.style.color = inks.get(colour);
  }
  const inkAll = () => document.querySelectorAll(".heatmap td").forEach(ink);

  function product(sizes) {
    return sizes.reduce((rows, size) => rows.flatMap(row => [...Array(size).keys()].map(k => [...row, k])), [[]]);
  }

  function policies(box) {
    const data = JSON.parse(box.querySelector("script").textContent);
    const range = box.querySelector("input[type=range]"), output = box.querySelector("output");
    const show = () => {
      const state = chosen.state = Math.max(0, Math.min(data.states - 1, chosen.state));
      range.value = state; output.textContent = state;
      box.querySelector(".previous").disabled = state === 0;
      box.querySelector(".next").disabled = state === data.states - 1;
      box.querySelectorAll("input[type=radio]").forEach(one => { one.checked = one.value === chosen.which; });
      if (data.team) {
        const told = which => `(${data.team[which][state][0].join(", ")}) with probability ${data.team[which][state][1].toFixed(3)}`;
        box.querySelector(".likeliest").textContent = `In state ${state} the team is most likely to play ${told("after")}; before, ${told("before")}.`;
      }
      const kept = [...box.querySelectorAll(".heatmap .scroll")].map(one => one.scrollTop);
      box.querySelector(".heatmaps").replaceChildren(...data.agents.map(agent => heatmap(agent, state)));
      inkAll();
      box.querySelectorAll(".heatmap .scroll").forEach((one, k) => { one.scrollTop = kept[k] || 0; });
    };
    const heatmap = (agent, state) => {
      const actions = agent.sizes[agent.sizes.length - 1], rows = product(agent.sizes.slice(0, -1));
      const from = state * rows.length * actions, names = agent.parents.map(String);
      const table = make("table");
      table.append(make("caption", names.length ? `agent ${agent.agent}, seeing agent${names.length > 1 ? "s" : ""} ${names.join(", ")}` : `agent ${agent.agent}, seeing nobody`));
      const head = make("tr");
      head.append(make("th", names.length ? "they play" : "when", { scope: "col" }));
      for (let a = 0; a < actions; a++) head.append(make("th", `plays ${a}`, { scope: "col" }));
      table.append(make("thead")); table.tHead.append(head);
      const body = table.createTBody();
      rows.forEach((seen, r) => {
        const row = body.insertRow();
        row.append(make("th", seen.length ? seen.join(" ") : "always", { scope: "row" }));
        for (let a = 0; a < actions; a++) {
          const k = from + r * actions + a, cell = row.insertCell();
          if (chosen.which === "change") {
            const change = agent.after[k] - agent.before[k];
            cell.textContent = (change >= 0 ? "+" : "−") + Math.abs(change).toFixed(3);
            cell.style.setProperty("--p", Math.abs(change));
            cell.className = change >= 0 ? "more" : "less";
          } else {
            const p = agent[chosen.which][k];
            cell.textContent = p.toFixed(3);
            cell.style.setProperty("--p", p);
          }
        }
      });
      const holder = make("div", undefined, { class: "heatmap" }), scroll = make("div", undefined, { class: "scroll" });
      if (rows.length > 9 || actions > 4) { scroll.tabIndex = 0; scroll.setAttribute("role", "region"); scroll.setAttribute("aria-label", `Policy of agent ${agent.agent}`); }
      scroll.append(table); holder.append(scroll);
      return holder;
    };
    range.addEventListener("input", () => { chosen.state = Number(range.value); show(); });
    box.querySelector(".previous").addEventListener("click", () => { chosen.state--; show(); });
    box.querySelector(".next").addEventListener("click", () => { chosen.state++; show(); });
    box.querySelectorAll("input[type=radio]").forEach(one => one.addEventListener("change", () => { chosen.which = one.value; show(); }));
    show();
  }

  function steps(box) {
    const select = box.querySelector("select"), place = box.querySelector(".step");
    const templates = new Map([...box.querySelectorAll("template")].map(one => [one.dataset.step, one]));
    if (chosen.step !== null && templates.has(chosen.step)) select.value = chosen.step;
    const show = () => {
      chosen.step = select.value;
      place.replaceChildren(templates.get(select.value).content.cloneNode(true));
      box.querySelector(".earlier").disabled = select.selectedIndex === 0;
      box.querySelector(".later").disabled = select.selectedIndex === select.options.length - 1;
    };
    select.addEventListener("change", show);
    box.querySelector(".earlier").addEventListener("click", () => { select.selectedIndex--; show(); });
    box.querySelector(".later").addEventListener("click", () => { select.selectedIndex++; show(); });
    show();
  }

  async function copy(button) {
    const text = button.parentElement.querySelector("code").textContent;
    try {
      await navigator.clipboard.writeText(text);
    } catch {  // a page from a file may not be let near the clipboard: select it instead
      getSelection().selectAllChildren(button.parentElement.querySelector("code"));
      button.textContent = "Selected";
      return;
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  }

  function enhance(root) {
    root.querySelectorAll(".chart").forEach(bnpgChart);
    root.querySelectorAll(".policies").forEach(policies);
    root.querySelectorAll(".steps").forEach(steps);
    root.querySelectorAll(".copy").forEach(button => button.addEventListener("click", () => copy(button)));
  }

  const theme = document.querySelector(".theme"), themes = ["automatic", "light", "dark"];
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const next = themes[(themes.indexOf(document.documentElement.dataset.theme || "automatic") + 1) % 3];
    if (next === "automatic") delete document.documentElement.dataset.theme; else document.documentElement.dataset.theme = next;
    theme.textContent = `Colours: ${next}`;
    inkAll();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", inkAll);
  enhance(document);
  return { enhance };
})();
