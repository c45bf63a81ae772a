// A static copy of the site: searching its prompts. The rest needs no script.
const root = document.currentScript.dataset.root;
const plain = (text) =>
  text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase();
const fetched = async (name) => (await fetch(root + name)).json();

const list = document.getElementById("prompts");
const found = document.getElementById("found");
const asked = new URLSearchParams(location.search);
const MOST = 200;

const row = ([run, slug, , text, answer]) => {
  const item = document.createElement("li");
  const link = document.createElement("a");
  item.dir = "auto";
  link.href = `${root}runs/${encodeURIComponent(run)}/prompts/${encodeURIComponent(slug)}/`;
  link.append(`${text} `, Object.assign(document.createElement("b"), { textContent: answer }));
  item.append(link);
  return item;
};

const search = async () => {
  const words = plain(asked.get("q") ?? "")
    .split(/\s+/)
    .filter(Boolean);
  const fits = ([run, , task, text, answer]) => {
    const said = plain(`${text} ${answer}`);
    return (
      words.every((word) => said.includes(word)) &&
      (asked.get("task") ?? task) === task &&
      (asked.get("run") ?? run) === run
    );
  };
  const hits = [];
  for (let number = 0; number < Number(found.dataset.files) && hits.length <= MOST; number++)
    hits.push(...(await fetched(`search/${number}.json`)).filter(fits));
  list.removeAttribute("start");
  list.replaceChildren(...hits.slice(0, MOST).map(row));
  document.querySelector("nav.pager")?.remove(); // of one page there is none
  const shown = hits.length > MOST ? `The first ${MOST} prompts` : hits.length === 1 ? "1 prompt" : `${hits.length} prompts`;
  found.textContent = words.length ? `${shown} with “${asked.get("q")}”` : shown;
  const asking = document.getElementById("search");
  if (asking) asking.value = asked.get("q") ?? "";
};
if (list && (asked.get("q") || asked.get("task") || asked.get("run"))) search();

// The server's search also knows the passages' words; the copy's knows the prompts'.
const field = document.getElementById("search");
if (field) {
  field.placeholder = "Search prompts";
  field.setAttribute("aria-label", "Search prompts and answers");
}
