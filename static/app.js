// What the pages gain with JavaScript: theme, copying, keyboard, highlighting what is selected. Nothing needs it.
const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

const say = (text) => {
  const status =
    $("#say") ?? document.body.appendChild(Object.assign(document.createElement("p"), { id: "say", role: "status" }));
  status.textContent = text;
  status.classList.add("shown");
  clearTimeout(say.timer);
  say.timer = setTimeout(() => status.classList.remove("shown"), 2200);
};

// Theme
const switchTheme = () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("theme", root.dataset.theme);
};

// Copy link: the page as it stands now, which a swap may have changed since the server wrote the button
const link = (given) => {
  if (!given) return location.href;
  const to = new URL(given);
  return to.pathname === location.pathname ? to.origin + to.pathname + location.search + location.hash : given;
};
const copy = async (given) => {
  const text = link(given);
  try {
    await navigator.clipboard.writeText(text);
    say("Link copied");
  } catch {
    prompt("Copy this link:", text);
  }
};
// A row of steps gains a slider: where it is let go, the link of that step is followed
const slide = (row) => {
  if (row.nextElementSibling?.type === "range") return;
  const links = $$("a", row);
  const at = links.findIndex((each) => each.hasAttribute("aria-current"));
  const slider = Object.assign(document.createElement("input"), { type: "range", min: 0, max: links.length - 1 });
  slider.value = at;
  slider.setAttribute("aria-label", row.getAttribute("aria-label"));
  const said = () => slider.setAttribute("aria-valuetext", links[slider.value].textContent.trim());
  slider.addEventListener("input", () => {
    said();
    links.forEach((each, place) => each.toggleAttribute("data-at", place === Number(slider.value)));
  });
  slider.addEventListener("change", () => links[slider.value].click());
  said();
  row.after(slider);
};
const ready = (root) => {
  for (const button of $$("[data-copy], #theme, #keys", root)) button.hidden = false;
  // of a row too long for the screen, the choice that is made is in sight
  for (const chosen of $$(".seg.scroll [aria-current]", root))
    chosen.parentElement.scrollLeft = chosen.offsetLeft - chosen.parentElement.offsetLeft - 40;
  for (const row of $$("[data-slides]", root)) slide(row);
};
ready(document);

// Highlight any part of the prompt by selecting it, in all passages at once; the address keeps it
let picked = "";
const clear = () => {
  for (const mark of $$("mark.picked, .passage mark.weighed")) mark.replaceWith(...mark.childNodes);
  for (const p of $$(".passage")) p.normalize();
};
const inPassage = (passage, pattern, kind) => {
  const walker = document.createTreeWalker(passage, NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walker.nextNode()) nodes.push(walker.currentNode);
  const hits = [
    ...nodes
      .map((node) => node.data)
      .join("")
      .matchAll(pattern),
  ].map((hit) => [hit.index, hit.index + hit[0].length]);
  let start = 0;
  for (const node of nodes) {
    const length = node.data.length;
    for (const [from, to] of hits.filter(([from, to]) => from < start + length && to > start).reverse()) {
      const at = Math.max(0, from - start);
      const part = node.splitText(at);
      part.splitText(Math.min(length, to - start) - at);
      const mark = Object.assign(document.createElement("mark"), { className: kind });
      part.replaceWith(mark);
      mark.append(part);
    }
    start += length;
  }
  return hits.length;
};
const highlight = (words, kind = "picked") => {
  clear();
  if (words.length < 2) return 0;
  const pattern = new RegExp(words.replace(/[\^$\\.*+?()[\]{}|/]/g, "\\$&").replace(/\s+/g, "\\s+"), "giu");
  // of a long passage both the opened part and the whole are marked, but counted once
  return $$("#passages .passage, .answer .passage").reduce(
    (sum, each) => sum + inPassage(each, pattern, kind) * !each.closest("details.long > summary"),
    0,
  );
};
const keep = (words) => {
  picked = words;
  const rest = location.search.replace(/[?&]pick=[^&]*/, "").replace(/^&/, "?");
  const added = words ? `${rest ? `${rest}&` : "?"}pick=${encodeURIComponent(words)}` : rest;
  if (added !== location.search) history.replaceState(history.state, "", location.pathname + added + location.hash);
};
const pick = (text) => {
  const words = text.trim().slice(0, 300);
  if (!words || words === picked) return;
  const found = highlight(words);
  keep(words);
  say(
    `“${words.slice(0, 40)}” stands ${found === 1 ? "once" : found ? `${found} times` : "nowhere"} in these passages`,
  );
};
const pickSelected = () => {
  const chosen = getSelection();
  const prompted = $("#prompt");
  if (prompted?.contains(chosen.anchorNode) && prompted.contains(chosen.focusNode)) pick(String(chosen));
};
const pickOfAddress = () => {
  picked = new URLSearchParams(location.search).get("pick")?.slice(0, 300) ?? "";
};
pickOfAddress();
if (picked) highlight(picked);
document.addEventListener("htmx:before:history:restore", pickOfAddress);
document.addEventListener("mouseup", pickSelected);
document.addEventListener("selectionchange", () => {
  // by keyboard and by touch
  clearTimeout(pickSelected.timer);
  pickSelected.timer = setTimeout(pickSelected, 400);
});

// What is typed after “rather than” colours the passages that say it, before anything is asked
document.addEventListener("input", (event) => {
  if (event.target.matches(".contrast input")) highlight(event.target.value.trim().slice(0, 300), "weighed");
});

// One listener for what is clicked: going back may replace the whole page, buttons and all
document.addEventListener("click", (event) => {
  const on = (selector) => event.target.closest(selector);
  if (on("[data-copy]")) copy(on("[data-copy]").dataset.copy);
  else if (on("#theme")) switchTheme();
  else if (on("#keys")) showHelp();
  else if (on("#prompt") && !String(getSelection())) {
    if (on("mark")) pick(on("mark").textContent);
    else if (picked) {
      clear();
      keep("");
    }
  }
});

// Keyboard, unless switched off
const keysOn = () => localStorage.getItem("keys") !== "off";
const SHORTCUTS = [
  ["/", "search"],
  ["j / k", "next or previous passage"],
  ["[ / ]", "previous or next prompt"],
  ["c", "copy the link"],
  ["?", "this help"],
];
const showHelp = () => {
  let dialog = $("#shortcuts");
  if (!dialog) {
    dialog = document.body.appendChild(Object.assign(document.createElement("dialog"), { id: "shortcuts" }));
    dialog.setAttribute("aria-label", "Keyboard shortcuts");
    dialog.appendChild(document.createElement("h2")).textContent = "Keyboard shortcuts";
    const list = dialog.appendChild(document.createElement("dl"));
    for (const [key, does] of SHORTCUTS) {
      list.appendChild(document.createElement("dt")).textContent = key;
      list.appendChild(document.createElement("dd")).textContent = does;
    }
    const toggle = dialog.appendChild(document.createElement("label"));
    const box = toggle.appendChild(
      Object.assign(document.createElement("input"), { type: "checkbox", checked: keysOn() }),
    );
    toggle.append(" Shortcuts are on");
    box.addEventListener("change", () => localStorage.setItem("keys", box.checked ? "on" : "off"));
    const close = dialog.appendChild(
      Object.assign(document.createElement("button"), { textContent: "Close", type: "button" }),
    );
    close.addEventListener("click", () => dialog.close());
  }
  dialog.showModal();
};

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
    c: () => copy($("[data-copy]")?.dataset.copy),
    "?": showHelp,
  }[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});

// What arrives is said once to those who listen: the stages of a trace, its passages, what the steps measured
const news = () => $("[data-news]")?.textContent.replace(/\s+/g, " ").trim() ?? "";
let told = news();
const tell = () => {
  const now = news();
  if (now && now !== told) $("#news").textContent = now;
  told = now;
};

// After a swap, what a reader unfolded stays so, and focus stays on the control that had it; where that is gone, on the
// passage it stood in
let held = null;
let unfolded = [];
const folds = (name) => $$("details").filter((each) => each.className === name);
const alike = (element) =>
  element.tagName === held.tag &&
  element.textContent.trim() === held.text &&
  ["href", "name", "value"].every((name) => element.getAttribute(name) === held[name]);
document.addEventListener("htmx:before:swap", () => {
  clear(); // the marks are ours; the passages are to be compared as the server wrote them
  unfolded = $$("details[open]").map((each) => [each.className, folds(each.className).indexOf(each)]);
  const now = document.activeElement;
  if (!now || now === document.body) return;
  held = { id: now.id, tag: now.tagName, text: now.textContent.trim(), home: now.closest("section[id][tabindex]")?.id };
  for (const name of ["href", "name", "value"]) held[name] = now.getAttribute(name);
});
document.addEventListener("htmx:after:swap", () => {
  for (const [name, at] of unfolded) folds(name)[at]?.setAttribute("open", "");
  if (held && (document.activeElement ?? document.body) === document.body) {
    const home = held.home ? document.getElementById(held.home) : null;
    const found = held.id ? document.getElementById(held.id) : $$("a, button, input", home ?? document).find(alike);
    (found ?? home)?.focus({ preventScroll: true });
  }
  held = null;
  ready(document);
  tell();
  if (picked) {
    highlight(picked);
    keep(picked);
  }
});

// The plot: dots travel once from "before" to where a step led them; a dot and its row light each other
if (!matchMedia("(prefers-reduced-motion: reduce)").matches) {
  for (const lane of $$(".dots[data-before]")) {
    for (const dot of $$("circle", lane)) {
      dot.animate(
        { cx: [lane.dataset.before, dot.getAttribute("cx")] },
        { duration: 900, easing: "cubic-bezier(.2, .8, .2, 1)" },
      );
    }
  }
}
const light = (event) => {
  for (const lit of $$(".lit")) lit.classList.remove("lit");
  const dot = event.target.closest?.(".dots a[href^='#'], .numbers a[href^='#']");
  const id = dot ? dot.getAttribute("href").slice(1) : event.target.closest?.("section.proponent[id], .short > li[id]")?.id;
  if (!id) return;
  if (dot) document.getElementById(id)?.classList.add("lit");
  for (const each of $$(`.dots a[href="#${CSS.escape(id)}"]`)) each.classList.add("lit");
};
document.addEventListener("pointerover", light);
document.addEventListener("focusin", light);

// Drag over an answer's words to choose them; a click or the keyboard chooses one
let dragged = null;
const boxes = () => $$(".token-line input");
document.addEventListener("pointerdown", (event) => {
  const box = $("input", event.target.closest?.(".token") ?? document.createElement("p"));
  dragged = box && event.pointerType === "mouse" ? { from: boxes().indexOf(box), moved: false } : null;
});
document.addEventListener("pointermove", (event) => {
  const over = dragged && event.target.closest?.(".token");
  const to = over ? boxes().indexOf($("input", over)) : -1;
  if (to < 0 || (to === dragged.from && !dragged.moved)) return;
  dragged.moved = true;
  const [first, last] = [Math.min(dragged.from, to), Math.max(dragged.from, to)];
  for (const [at, box] of boxes().entries()) box.checked = at >= first && at <= last;
});
document.addEventListener(
  "click",
  (event) => {
    // the click that ends a drag must not undo its last word
    if (dragged?.moved && event.target.closest?.(".token")) event.preventDefault();
    dragged = null;
    const copies = event.target.closest?.("[data-copies]");
    if (copies)
      navigator.clipboard?.writeText($(`#${copies.dataset.copies}`).textContent.trim()).then(
        () => say("Sentence copied"),
        () => {},
      );
  },
  true,
);
