// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// Keeps the page up to date: fetches the parts that change, already escaped by the server, and puts in place those that
// differ. It rests while nobody looks, and asks more rarely while nobody answers.
"use strict";

(() => {
  const PERIOD = 3000; // milliseconds
  const LONGEST_PERIOD = 30000;
  const PATIENCE = 20000;

  const live = document.getElementById("live");
  const liveText = document.getElementById("live-text");
  let period = PERIOD;
  let timer = null;

  function tell(state, text) {
    live.hidden = false;
    live.className = `live live-${state}`;
    if (liveText.textContent !== text) {
      liveText.textContent = text;
    }
  }

  function put(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    const view = document.getElementById("view");
    const parts = new Map([...view.querySelectorAll("[data-part]")].map((part) => [part.dataset.part, part]));
    const wanted = [...fresh.querySelectorAll("[data-part]")];
    const focused = document.activeElement ? document.activeElement.id : "";
    // A part of the page that has come or gone changes the order of all: then all are replaced.
    if (wanted.length !== parts.size || wanted.some((part) => !parts.has(part.dataset.part))) {
      view.replaceChildren(...wanted);
    } else {
      for (const part of wanted) {
        const old = parts.get(part.dataset.part);
        if (old.outerHTML !== part.outerHTML) {
          keepScroll(old, part);
        }
      }
    }
    if (focused && document.activeElement === document.body) {
      const again = document.getElementById(focused);
      if (again) {
        again.focus({ preventScroll: true });
      }
    }
  }

  function keepScroll(old, part) {
    const before = old.querySelector(".canvas");
    const left = before ? before.scrollLeft : 0;
    old.replaceWith(part);
    const after = part.querySelector(".canvas");
    if (after) {
      after.scrollLeft = left;
    }
  }

  async function refresh() {
    timer = null;
    try {
      const answer = await fetch("api/view", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      if (!answer.ok) {
        throw new Error(`answer ${answer.status}`);
      }
      put(await answer.text());
      period = PERIOD;
      tell("on", "Live");
    } catch {
      period = Math.min(period * 2, LONGEST_PERIOD);
      tell("off", `The control center does not answer; what you see is old. Next try in ${period / 1000} s.`);
    }
    schedule(period);
  }

  function schedule(delay) {
    clearTimeout(timer);
    timer = document.hidden ? null : setTimeout(refresh, delay);
  }

  document.addEventListener("visibilitychange", () => schedule(0));
  tell("on", "Live");
  schedule(PERIOD);
})();
