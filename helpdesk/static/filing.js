// The filing without this is whole. With it: districts are offered while one types, photos are made lighter before
// they are sent, a click files once, and the summary of errors is where the reader begins.
"use strict";

const LONGEST_SIDE = 2000;
const LIGHT_ENOUGH = 1_500_000;
const MOST_OFFERED = 7;

document.getElementById("errores")?.focus();

for (const form of document.querySelectorAll("form[data-once]")) {
  form.addEventListener("submit", () => setTimeout(() => {
    for (const button of form.querySelectorAll("button")) button.disabled = true;
  }));
}
// The back button shows the page as it was left.
addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("form[data-once] button")) button.disabled = false;
});

const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
const words = (text) => plain(text).split(/[^\p{L}\p{N}]+/u).filter(Boolean);
let districts;

// Asked for when somebody comes to such a field, not before: the page is light.
function load(url) {
  districts ??= fetch(url)
    .then((answer) => answer.json())
    .then((names) => names.map((name) => ({ name, words: words(name) })))
    .catch(() => []);
  return districts;
}

// Every typed word begins a word of the name, as the server understands it; those that begin with it come first.
async function meant(field) {
  const typed = words(field.value);
  if (typed.join("").length < 2) return [];
  const found = (await load(field.dataset.districts)).filter(
    (district) => typed.every((word) => district.words.some((one) => one.startsWith(word))));
  const begins = (district) => district.words.join(" ").startsWith(typed.join(" "));
  return [...found.filter(begins), ...found.filter((district) => !begins(district))].slice(0, MOST_OFFERED);
}

// A combobox as WAI-ARIA describes it: the focus stays in the field, the arrows move in the list.
for (const field of document.querySelectorAll("[data-districts]")) {
  const list = document.createElement("ul");
  list.id = `${field.id}-ofrecidos`;
  list.className = "offered";
  list.role = "listbox";
  list.ariaLabel = field.dataset.offers;
  list.hidden = true;
  field.after(list);
  field.role = "combobox";
  field.ariaAutoComplete = "list";
  field.ariaExpanded = "false";
  field.setAttribute("aria-controls", list.id);

  const chosen = () => list.querySelector("[aria-selected=true]");

  function show(names) {
    list.replaceChildren(...names.map(({ name }, place) => {
      const option = document.createElement("li");
      Object.assign(option, { id: `${list.id}-${place}`, role: "option", ariaSelected: "false", textContent: name });
      return option;
    }));
    list.hidden = !names.length;
    field.ariaExpanded = String(!list.hidden);
    field.removeAttribute("aria-activedescendant");
  }

  function move(step) {
    const all = [...list.children];
    const at = all.indexOf(chosen());
    const next = all[at < 0 && step < 0 ? all.length - 1 : (at + step + all.length) % all.length];
    for (const option of all) option.ariaSelected = String(option === next);
    field.setAttribute("aria-activedescendant", next.id);
  }

  function take(option) {
    field.value = option.textContent;
    show([]);
  }

  field.addEventListener("focus", () => load(field.dataset.districts), { once: true });
  field.addEventListener("input", async () => {
    const typed = field.value;
    const names = await meant(field);
    if (typed !== field.value || field !== document.activeElement) return; // a later key, or another field
    show(names.some(({ name }) => plain(name) === plain(typed)) ? [] : names);
  });
  field.addEventListener("keydown", (event) => {
    if (list.hidden) return;
    if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(-1);
    else if (event.key === "Enter" && chosen()) take(chosen());
    else if (event.key === "Escape") show([]);
    else return;
    event.preventDefault();
  });
  field.addEventListener("blur", () => show([]));
  list.addEventListener("mousedown", (event) => event.preventDefault()); // the field keeps the focus
  list.addEventListener("click", (event) => {
    if (event.target !== list) take(event.target);
  });
}

for (const field of document.querySelectorAll("input[data-shrink]")) {
  field.addEventListener("change", async () => {
    const file = field.files[0];
    if (!file || !file.type.startsWith("image/") || file.size <= LIGHT_ENOUGH) return;
    try {
      const lighter = await shrink(file);
      if (lighter.size >= file.size || field.files[0] !== file) return;
      const held = new DataTransfer();
      held.items.add(new File([lighter], file.name.replace(/\.[^.]*$/, "") + ".jpg", { type: "image/jpeg" }));
      field.files = held.files;
    } catch {
      // Sent as it is.
    }
  });
}

async function shrink(file) {
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST_SIDE / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(picture.width * scale);
  canvas.height = Math.round(picture.height * scale);
  const paper = canvas.getContext("2d");
  paper.fillStyle = "white"; // a JPEG has no holes: what shines through is paper
  paper.fillRect(0, 0, canvas.width, canvas.height);
  paper.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((done, failed) => {
    canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("no picture"))), "image/jpeg", 0.85);
  });
}
