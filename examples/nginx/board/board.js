// Keeps the page as the server has it, without a reload: asks for the part that changes, and takes over what differs.
"use strict";
(function () {
  const board = document.getElementById("board");
  const state = document.getElementById("state");
  const every = Number(board.dataset.every) * 1000; // milliseconds
  const longest = 60000;
  let pause = every, timer = 0, asking = false, ahead = 0; // ahead: our clock before the server's, seconds

  const source = new Map(); // key -> HTML as the server sent it
  for (const node of board.children) source.set(node.dataset.key, node.outerHTML);

  // In the same words as words.lua.
  const units = [[31557600, "y"], [2629800, "months", "month"], [86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  function ago(seconds) {
    for (const [size, many, one] of units) {
      const count = Math.floor(seconds / size);
      if (count >= 1) return count + " " + (count === 1 && one || many) + " ago";
    }
    return "just now";
  }

  function clock(seconds) {
    const whole = Math.max(0, Math.floor(seconds)), hours = Math.floor(whole / 3600);
    const two = number => String(number).padStart(2, "0");
    const minutes = Math.floor(whole / 60) % 60;
    return (hours ? hours + ":" + two(minutes) : minutes) + ":" + two(whole % 60);
  }

  function put(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  function tick() { // times go on between two answers
    const now = Date.now() / 1000 - ahead;
    for (const node of board.querySelectorAll("time[data-ago]")) put(node, ago(now - node.dataset.ago));
    for (const node of board.querySelectorAll(".clock")) put(node, clock(now - node.dataset.since));
    for (const node of board.querySelectorAll("progress[data-since]")) {
      node.value = Math.max(0, Math.min(node.max, now - node.dataset.since));
    }
  }

  // What has not changed stays, with what is selected or focused in it.
  function take(text) {
    const nodes = [...new DOMParser().parseFromString(text, "text/html").body.children];
    const old = [...board.children];
    const same = nodes.length === old.length && nodes.every((node, i) => node.dataset.key === old[i].dataset.key);
    nodes.forEach((node, i) => {
      const html = node.outerHTML;
      if (same && source.get(node.dataset.key) === html) return;
      source.set(node.dataset.key, html);
      if (same) old[i].replaceWith(document.adoptNode(node));
    });
    if (!same) board.replaceChildren(...nodes);
  }

  function plan(delay) {
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(ask, delay);
  }

  async function ask() {
    if (asking) return;
    asking = true;
    try {
      const answer = await fetch("/fragment", { cache: "no-cache", signal: AbortSignal.timeout(10000) });
      if (!answer.ok && answer.status !== 503) throw new Error(String(answer.status)); // a 503 says why in HTML
      const text = await answer.text();
      const date = Date.parse(answer.headers.get("Date"));
      if (answer.ok && date) ahead = (Date.now() - date) / 1000;
      take(text);
      tick();
      pause = answer.ok ? every : Math.min(longest, pause * 2);
      put(state, answer.ok ? "Updates itself" : "Waiting for the API");
    } catch (problem) {
      pause = Math.min(longest, pause * 2);
      put(state, "No connection to this board, trying again");
    }
    asking = false;
    plan(pause);
  }

  document.addEventListener("visibilitychange", () => plan(0));
  setInterval(() => { if (!document.hidden) tick(); }, 1000);
  plan(0);
})();
