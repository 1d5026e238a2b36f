// The filing without this is whole. With it: districts are offered while one types, photos are made lighter before
// they are sent, a click files once, and the summary of errors is where the reader begins.
"use strict";

const LONGEST_SIDE = 2000;
const LIGHT_ENOUGH = 1_500_000;

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

const districts = document.querySelectorAll("[data-districts]");
if (districts.length) {
  const list = document.createElement("datalist");
  list.id = "distritos";
  fetch(districts[0].dataset.districts).then((answer) => answer.json()).then((names) => {
    for (const name of names) list.append(new Option(name, name));
    document.body.append(list);
    for (const field of districts) field.setAttribute("list", list.id);
  }).catch(() => {});
}

for (const field of document.querySelectorAll("input[data-shrink]")) {
  field.addEventListener("change", async () => {
    const file = field.files[0];
    if (!file || !file.type.startsWith("image/") || file.size <= LIGHT_ENOUGH) return;
    try {
      const lighter = await shrink(file);
      if (lighter.size >= file.size) return;
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
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((done, failed) => {
    canvas.toBlob((blob) => (blob ? done(blob) : failed(new Error("no picture"))), "image/jpeg", 0.85);
  });
}
