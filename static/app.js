// What the pages gain with JavaScript: theme, copying, keyboard, highlighting what is selected. Nothing needs it.
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

const say = (text) => {
  const status = $("#say") ?? document.body.appendChild(Object.assign(document.createElement("p"), { id: "say", role: "status" }));
  status.textContent = text;
  status.classList.add("shown");
  clearTimeout(say.timer);
  say.timer = setTimeout(() => status.classList.remove("shown"), 2200);
};

// Theme
const theme = $("#theme");
theme.hidden = false;
theme.addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
});

// Copy link
const copy = async (text) => {
  try { await navigator.clipboard.writeText(text); say("Link copied"); } catch { prompt("Copy this link:", text); }
};
const ready = (root) => { for (const button of $$("[data-copy]", root)) button.hidden = false; };
ready(document);
document.addEventListener("htmx:after:swap", () => ready(document));
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button.dataset.copy);
});

// Highlight any part of the prompt by selecting it, in all passages at once
const clear = () => { for (const mark of $$("mark.picked")) mark.replaceWith(...mark.childNodes); for (const p of $$(".passage")) p.normalize(); };
const pick = (words) => {
  clear();
  if (words.length < 2) return 0;
  let found = 0;
  for (const passage of $$("#passages .passage")) {
    const walker = document.createTreeWalker(passage, NodeFilter.SHOW_TEXT);
    const nodes = [];
    while (walker.nextNode()) nodes.push(walker.currentNode);
    for (let node of nodes) {
      let at;
      while ((at = node.data.toLowerCase().indexOf(words.toLowerCase())) >= 0) {
        const hit = node.splitText(at);
        node = hit.splitText(words.length);
        const mark = document.createElement("mark");
        mark.className = "picked";
        hit.replaceWith(mark);
        mark.append(hit);
        found += 1;
      }
    }
  }
  return found;
};
const line = $("#prompt");
if (line) {
  line.addEventListener("mouseup", () => {
    const words = String(getSelection()).trim();
    if (words) say(`“${words.slice(0, 40)}” stands ${pick(words)} times in these passages`);
  });
  line.addEventListener("click", (event) => {
    const mark = event.target.closest("mark");
    if (mark && !String(getSelection())) say(`“${mark.textContent.slice(0, 40)}” stands ${pick(mark.textContent)} times in these passages`);
    else if (!String(getSelection())) clear();
  });
}

// Keyboard, unless switched off
const help = $("#keys");
const keysOn = () => localStorage.getItem("keys") !== "off";
const SHORTCUTS = [["/", "search"], ["j / k", "next or previous passage"], ["[ / ]", "previous or next prompt"], ["c", "copy the link"], ["?", "this help"]];
const showHelp = () => {
  let dialog = $("#shortcuts");
  if (!dialog) {
    dialog = document.body.appendChild(Object.assign(document.createElement("dialog"), { id: "shortcuts" }));
    dialog.setAttribute("aria-label", "Keyboard shortcuts");
    const list = dialog.appendChild(document.createElement("dl"));
    for (const [key, does] of SHORTCUTS) {
      list.appendChild(document.createElement("dt")).textContent = key;
      list.appendChild(document.createElement("dd")).textContent = does;
    }
    const toggle = dialog.appendChild(document.createElement("label"));
    const box = toggle.appendChild(Object.assign(document.createElement("input"), { type: "checkbox", checked: keysOn() }));
    toggle.append(" Shortcuts are on");
    box.addEventListener("change", () => localStorage.setItem("keys", box.checked ? "on" : "off"));
    const close = dialog.appendChild(Object.assign(document.createElement("button"), { textContent: "Close", type: "button" }));
    close.addEventListener("click", () => dialog.close());
  }
  dialog.showModal();
};
help.hidden = false;
help.addEventListener("click", showHelp);

const step = (by) => {
  const cards = $$("section.proponent");
  if (!cards.length) return;
  const now = cards.indexOf(document.activeElement?.closest("section.proponent"));
  const next = cards[Math.min(cards.length - 1, Math.max(0, now < 0 ? (by > 0 ? 0 : cards.length - 1) : now + by))];
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "start" });
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !keysOn()) return;
  if (event.target.closest("input, textarea, select, dialog, [contenteditable]")) return;
  const act = {
    "/": () => $("#search").focus(),
    j: () => step(1),
    k: () => step(-1),
    "[": () => $("#previous")?.click(),
    "]": () => $("#next")?.click(),
    c: () => copy($("[data-copy]")?.dataset.copy ?? location.href),
    "?": showHelp,
  }[event.key];
  if (act) { event.preventDefault(); act(); }
});

// After a swap, focus stays on the control that had it; where that is gone, on the passage it stood in
let held = null;
const alike = (element) => element.tagName === held.tag && element.textContent.trim() === held.text
  && ["href", "name", "value"].every((name) => element.getAttribute(name) === held[name]);
document.addEventListener("htmx:before:swap", () => {
  const now = document.activeElement;
  if (!now || now === document.body) return;
  held = { id: now.id, tag: now.tagName, text: now.textContent.trim(), home: now.closest("section[id][tabindex]")?.id };
  for (const name of ["href", "name", "value"]) held[name] = now.getAttribute(name);
});
document.addEventListener("htmx:after:swap", () => {
  if (held && (document.activeElement ?? document.body) === document.body) {
    const home = held.home ? document.getElementById(held.home) : null;
    const found = held.id ? document.getElementById(held.id) : $$("a, button, input", home ?? document).find(alike);
    (found ?? home)?.focus({ preventScroll: true });
  }
  held = null;
});
