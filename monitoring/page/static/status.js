// Fetches the live part again every second and patches what has changed: texts, attributes, rows.
// What a reader has selected, opened, focused or typed stays as it is.
import { patch } from "./patch.js";

const PAUSE_MS = 1000;
const live = document.getElementById("live");
const pulse = document.getElementById("pulse");
let turn = 0;

function show(text, lost) {
  if (pulse.textContent !== text) pulse.textContent = text;
  pulse.className = lost ? "pulse lost" : "pulse";
}

async function refresh() {
  const mine = ++turn;
  const range = live.dataset.range ? `?range=${live.dataset.range}` : "";
  try {
    const response = await fetch(live.dataset.source + range, { cache: "no-store" });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
    if (mine !== turn) return;
    patch(live, fresh.body);
    show("live", false);
  } catch {
    if (mine === turn) show("the monitor does not answer", true);
  }
}

async function keepOn() {
  if (!document.hidden) await refresh();
  setTimeout(keepOn, PAUSE_MS);
}

function choose(link) {
  live.dataset.range = link.dataset.range;
  history.replaceState(null, "", link.getAttribute("href"));
  refresh();
}

async function copy(button) {
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without https the browser lends no clipboard: select the text, so that a key copies it.
    getSelection().selectAllChildren(button.previousElementSibling);
    document.execCommand("copy");
  }
  show(`copied ${text}`, false);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-range]");
  const button = event.target.closest("button[data-copy]");
  if (link && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    choose(link);
  } else if (button) {
    copy(button);
  }
});

document.documentElement.classList.add("scripted");
if (live?.dataset.source) setTimeout(keepOn, PAUSE_MS);
