// Compares a PDF with the document that was issued, here in the browser: the file is sent nowhere.
"use strict";

const section = document.querySelector(".compare");
if (section && crypto.subtle) {
  const scripted = section.querySelector("[data-scripted]");
  const result = section.querySelector("[data-result]");
  scripted.hidden = false;
  section.querySelector("input[type=file]").addEventListener("change", (event) => compare(event.target.files[0]));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    compare(event.dataTransfer.files[0]);
  });

  async function compare(file) {
    if (!file) return;
    try {
      const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
      const hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      const same = hex === section.dataset.sha256;
      result.textContent = same ? section.dataset.same : section.dataset.other;
      result.className = same ? "flash fine" : "flash wrong";
    } catch {
      result.textContent = section.dataset.wrong;
      result.className = "flash wrong";
    }
  }
}
