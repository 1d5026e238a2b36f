// The desk's keys, drafts and countdowns. Everything here is a shortcut: each action works without it.

const KEYS_OFF = "infomigra-keys-off";
const typing = (target) => target.closest?.("input, textarea, select, [contenteditable], dialog[open]");
const keysAreOn = () => localStorage.getItem(KEYS_OFF) !== "1";

// --- the list: j, k move the selection; Enter opens it -------------------------------------------------

const rows = () => [...document.querySelectorAll(".ticket-row")];

function move(step) {
  const all = rows();
  if (!all.length) return false;
  const now = all.findIndex((row) => row.classList.contains("selected"));
  const next = Math.min(Math.max(now + step, 0), all.length - 1);
  all.forEach((row, place) => row.classList.toggle("selected", place === next));
  all[next].querySelector("a").focus({ preventScroll: true });
  all[next].scrollIntoView({ block: "nearest" });
  return true;
}

const openSelected = () => {
  const link = document.querySelector(".ticket-row.selected a") ?? document.querySelector(".ticket-row a");
  link?.click();
  return Boolean(link);
};

// --- the composer: an answer goes in at the cursor, holes are shown while typing --------------------------

const composer = document.querySelector("[data-composer]");
export const field = composer?.querySelector("textarea");
const HOLE = /\{\{\s*[^{}]{0,60}?\s*\}\}/g;

function showHoles() {
  const line = composer.querySelector("[data-holes]");
  const holes = [...new Set(field.value.match(HOLE) ?? [])];
  line.hidden = !holes.length;
  line.querySelector("span").textContent = holes.join(", ");
}

// Into an empty field goes the whole letter; into a letter, the answer alone, under its title.
export async function insertAnswer(slug, language) {
  const url = new URL(composer.dataset.draftUrl.replace("SLUG", encodeURIComponent(slug)), location.href);
  if (language) url.searchParams.set("idioma", language);
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (!answer.ok) return false;
  const draft = await answer.json();
  const empty = !field.value.trim();
  field.focus();
  if (empty) {
    field.value = draft.letter;
    field.setSelectionRange(draft.cursor, draft.cursor);
  } else {
    const before = field.value.slice(0, field.selectionStart);
    const gap = before && !before.endsWith("\n\n") ? (before.endsWith("\n") ? "\n" : "\n\n") : "";
    field.setRangeText(gap + draft.section, field.selectionStart, field.selectionEnd, "end");
  }
  addOnce(draft);
  const hole = field.value.search(HOLE);
  if (hole >= 0) field.setSelectionRange(hole, field.value.indexOf("}}", hole) + 2);
  field.dispatchEvent(new Event("input"));
  field.scrollIntoView({ block: "nearest" });
  return true;
}

function addOnce(draft) {
  const used = composer.elements.respuesta;
  const keys = new Set(used.value.split(" ").filter(Boolean));
  used.value = [...keys.add(draft.key)].join(" ");
  const files = composer.querySelector("[data-files]");
  for (const file of draft.files) {
    if (document.getElementById(`archivo-${file.id}`)) continue;
    const row = document.createElement("span");
    const box = Object.assign(document.createElement("input"), { type: "checkbox", id: `archivo-${file.id}`, name: "archivo", value: file.id, checked: true });
    const label = Object.assign(document.createElement("label"), { htmlFor: box.id, textContent: file.name });
    row.append(box, " ", label);
    files.append(row);
    files.hidden = false;
  }
}

// --- the preview: exactly what will arrive, made by the server, again after every pause ------------------------

function startPreview() {
  const button = composer.querySelector("[data-preview]");
  const place = composer.querySelector("[data-preview-place]");
  let frame;
  const token = composer.elements.csrf_token.value;
  let timer;
  const show = () => {
    const form = Object.assign(document.createElement("form"), { method: "post", action: button.formAction, target: frame.name, hidden: true });
    for (const [name, value] of [["csrf_token", token], ["texto", field.value], ["respuesta", composer.elements.respuesta.value]]) {
      form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
    }
    document.body.append(form);
    form.submit();
    form.remove();
  };
  button.addEventListener("click", (event) => {
    event.preventDefault();
    if (frame) {
      frame.remove();
      frame = undefined;
      return;
    }
    frame = Object.assign(document.createElement("iframe"), { className: "preview", name: "vista", title: place.dataset.previewPlace });
    frame.setAttribute("sandbox", "");
    place.append(frame);
    show();
  });
  field.addEventListener("input", () => {
    clearTimeout(timer);
    if (frame) timer = setTimeout(show, 500);
  });
}

if (composer) {
  field.addEventListener("input", showHoles);
  showHoles();
  startPreview();
  for (const link of document.querySelectorAll("[data-answer]")) {
    link.addEventListener("click", async (event) => {
      event.preventDefault();
      if (!(await insertAnswer(link.dataset.answer))) location.href = link.href;
    });
  }
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    composer.requestSubmit(composer.querySelector(event.shiftKey ? "[data-send-close]" : "[data-send]"));
  });
  // With an hour chosen no button sends at once, and each says so.
  const hour = composer.elements.salida;
  const buttons = [...composer.querySelectorAll("[data-later]")];
  buttons.forEach((button) => { button.dataset.now = button.textContent; });
  const nameButtons = () => buttons.forEach((button) => {
    button.textContent = hour.value ? button.dataset.later : button.dataset.now;
  });
  hour?.addEventListener("input", nameButtons);
  nameButtons();
  // A second click must not send twice; the server would refuse it anyway.
  composer.addEventListener("submit", (event) => {
    if (composer.dataset.sent) event.preventDefault();
    composer.dataset.sent = "1";
  });
  addEventListener("pageshow", () => delete composer.dataset.sent);
}

// --- single keys -------------------------------------------------------------------------------------------

const help = document.getElementById("teclas");
const actions = {
  j: () => move(1),
  k: () => move(-1),
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  o: openSelected,
  r: () => (field ? (field.focus(), true) : false),
  "/": () => {
    const search = document.getElementById("q");
    search?.focus();
    return Boolean(search);
  },
  "?": () => (help ? (help.showModal(), true) : false),
};

function press(element) {
  if (element.tagName === "SELECT") element.focus();
  else element.click();
  if (element.tagName === "SUMMARY") element.parentElement.querySelector("textarea")?.focus();
  return true;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (!keysAreOn() && event.key !== "?") return; // the help is where they are switched on again
  const named = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  const done = named ? press(named) : actions[event.key]?.();
  if (done) event.preventDefault();
});

document.querySelector("[data-toggle-keys]")?.addEventListener("click", () => {
  localStorage.setItem(KEYS_OFF, keysAreOn() ? "1" : "0");
  help.close();
});

// --- the undo countdown --------------------------------------------------------------------------------------

const toast = document.querySelector("[data-undo-seconds]");
if (toast) {
  const end = Date.now() + Number(toast.dataset.undoSeconds) * 1000;
  const count = toast.querySelector("[data-undo-count]");
  const sentence = count.textContent;
  const timer = setInterval(() => {
    const left = Math.ceil((end - Date.now()) / 1000);
    if (left > 0) {
      count.textContent = sentence.replace(/\d+/, String(left));
      return;
    }
    clearInterval(timer);
    toast.remove();
  }, 500);
}

// An error is where the eyes and the screen reader should be.
document.getElementById("error")?.focus();
