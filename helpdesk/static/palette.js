// The palette (Ctrl+K): answers found while typing, read beside the list, put into the reply with Enter.
import { field, insertAnswer } from "./desk.js";

const palette = document.getElementById("paleta");
const input = document.getElementById("paleta-q");
const hits = palette?.querySelector("[data-hits]");
const seen = palette?.querySelector("[data-seen]");
const PAUSE_MS = 120;
let timer;
let asked = 0;

const options = () => [...hits.querySelectorAll("[role=option]")];
const chosen = () => hits.querySelector("[aria-selected=true]");

function choose(option) {
  options().forEach((one) => one.setAttribute("aria-selected", String(one === option)));
  input.setAttribute("aria-activedescendant", option?.id ?? "");
  const text = option && document.getElementById(option.dataset.preview);
  seen.replaceChildren(...(text ? [...text.cloneNode(true).childNodes] : []));
  option?.scrollIntoView({ block: "nearest" });
}

async function look() {
  const turn = ++asked;
  const url = new URL(palette.dataset.url, location.href);
  url.searchParams.set("q", input.value);
  url.searchParams.set("atencion", palette.dataset.ticket);
  const answer = await fetch(url);
  if (!answer.ok || turn !== asked) return; // a later key was quicker
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  hits.replaceChildren(...page.body.childNodes);
  choose(options()[0]);
}

async function use(option) {
  if (!option) return;
  if (field && palette.dataset.ticket) {
    palette.close();
    if (await insertAnswer(option.dataset.slug, option.dataset.language)) return;
  }
  location.href = option.querySelector("a").href;
}

function open(words = "") {
  if (palette.open) return;
  input.value = words;
  palette.showModal();
  input.select();
  look();
}

if (palette) {
  document.addEventListener("keydown", (event) => {
    if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey) return;
    event.preventDefault();
    open();
  });
  document.querySelector("[data-palette]")?.form.addEventListener("submit", (event) => {
    event.preventDefault();
    open(event.target.elements.q.value);
  });
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, PAUSE_MS);
  });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      const all = options();
      choose(all[(all.indexOf(chosen()) + step + all.length) % all.length]);
    } else if (event.key === "Enter") {
      use(chosen());
    } else return;
    event.preventDefault();
  });
  hits.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (!option) return;
    event.preventDefault();
    if (option === chosen() || matchMedia("(hover: hover)").matches) use(option);
    else choose(option); // on a phone the first touch reads, the second takes
  });
  hits.addEventListener("pointermove", (event) => {
    const option = event.target.closest("[role=option]");
    if (option && option !== chosen() && event.pointerType === "mouse") choose(option);
  });
}
