"use strict";
// Sections come as server-sent events. A section somebody is in (by keyboard) waits until they leave it.
(() => {
  const banner = document.getElementById("connection"), waiting = new Map();
  const busy = section => section.contains(document.activeElement);
  function put(name, html, title) {
    const section = document.getElementById(name);
    if (!section) { location.reload(); return; }
    if (busy(section)) { waiting.set(name, [html, title]); return; }
    const head = document.getElementById(`${name}-title`), link = document.querySelector(`nav a[href="#${name}"]`);
    for (const one of [head, link]) if (one && title && one.textContent !== title) one.textContent = title;
    waiting.delete(name);
    const body = section.querySelector(".body");
    const open = [...body.querySelectorAll("details[open]")].map(one => one.id).filter(Boolean);
    const scrolled = [...body.querySelectorAll(".scroll")].map(one => [one.scrollLeft, one.scrollTop]);
    body.innerHTML = html;
    open.forEach(id => { const one = document.getElementById(id); if (one) one.open = true; });
    bnpg.enhance(body);
    body.querySelectorAll(".scroll").forEach((one, k) => { if (scrolled[k]) [one.scrollLeft, one.scrollTop] = scrolled[k]; });
  }
  document.addEventListener("focusout", () => setTimeout(() => {
    for (const [name, [html, title]] of [...waiting]) put(name, html, title);
  }));
  const say = (text, well) => {
    if (banner.textContent !== text) banner.textContent = text;
    banner.classList.toggle("lost", !well);
  };
  const events = new EventSource("events");
  events.addEventListener("section", event => { const told = JSON.parse(event.data); put(told.name, told.html, told.title); });
  events.addEventListener("rows", event => bnpgCatalogue.take(JSON.parse(event.data)));
  events.addEventListener("state", event => { const told = JSON.parse(event.data); say(told.text, told.well); });
  events.addEventListener("error", () => say(
    events.readyState === EventSource.CLOSED ? "the server turned this page away: open its address again" : "the server of this page does not answer; trying again", false));
})();
