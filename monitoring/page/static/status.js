// Fetches the live part again every second and replaces the sections that changed, so that what a
// reader has opened, selected or focused elsewhere stays as it is.
"use strict";

const PAUSE_MS = 1000;
const live = document.getElementById("live");
const pulse = document.getElementById("pulse");

function replaceChanged(fresh) {
  const open = new Map(
    [...live.querySelectorAll("details")].map((element) => [element.id, element.open]),
  );
  for (const element of fresh.querySelectorAll("details")) {
    if (open.has(element.id)) element.open = open.get(element.id);
  }
  const sections = [...fresh.children];
  const same =
    sections.length === live.children.length &&
    sections.every((section, place) => section.id === live.children[place].id);
  if (!same) {
    live.replaceChildren(...sections);
    return;
  }
  sections.forEach((section, place) => {
    const shown = live.children[place];
    if (section.innerHTML !== shown.innerHTML || section.className !== shown.className) {
      shown.replaceWith(section);
    }
  });
}

async function refresh() {
  try {
    const response = await fetch(live.dataset.source, { cache: "no-store" });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    replaceChanged(page.body);
    pulse.textContent = "live";
    pulse.className = "pulse";
  } catch {
    pulse.textContent = "the monitor does not answer";
    pulse.className = "pulse lost";
  }
  setTimeout(refresh, PAUSE_MS);
}

setTimeout(refresh, PAUSE_MS);
