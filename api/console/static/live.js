// Listens to the console's server-sent events: fills the feed, moves progress bars, and tells htmx
// parts to read themselves again.
(() => {
  "use strict";
  const KEPT = 30;
  const pulse = document.querySelector("[data-pulse]");

  function say(state, words) {
    if (!pulse) return;
    pulse.dataset.state = state;
    pulse.textContent = words;
  }

  function listed(event) {
    const item = document.createElement("li");
    item.className = "fresh";
    const time = document.createElement("time");
    time.dateTime = event.at;
    time.textContent = event.at.slice(11, 19);
    const what = document.createElement("span");
    what.className = "what";
    what.textContent = event.text;
    item.append(time, what);
    return item;
  }

  function feed(event) {
    for (const list of document.querySelectorAll("[data-feed]")) {
      list.prepend(listed(event));
      while (list.children.length > KEPT) list.lastElementChild.remove();
      document.querySelector("[data-feed-empty]")?.remove();
    }
  }

  function move(job) {
    for (const box of document.querySelectorAll(`[data-job="${CSS.escape(job.id)}"]`)) {
      const bar = box.querySelector("progress");
      if (bar) bar.value = job.progress;
      const doing = box.querySelector("[data-doing]");
      if (doing) doing.textContent = job.doing || job.state;
      const share = box.querySelector("[data-share]");
      if (share) share.textContent = `${Math.round(100 * job.progress)} %`;
      box.dataset.state = job.state;
    }
  }

  let waiting = 0;

  // Several events in a row make the parts read themselves once.
  function refresh() {
    clearTimeout(waiting);
    waiting = setTimeout(() => document.body.dispatchEvent(new CustomEvent("changed")), 250);
  }

  function end(job) {
    const stale = document.querySelector(`[data-reload="${CSS.escape(job.kind)}"]`);
    if (stale && job.state === "succeeded") window.location.reload();
    else refresh();
  }

  function listen() {
    const source = new EventSource(`/console/events?after=${document.body.dataset.live}`);
    source.addEventListener("open", () => say("open", "live"));
    source.addEventListener("error", () => say("closed", "reconnecting"));
    source.addEventListener("job", (message) => {
      const job = JSON.parse(message.data);
      move(job);
      if (job.ended) end(job);
      else if (job.state === "queued") refresh();
    });
    source.addEventListener("happened", (message) => {
      feed(JSON.parse(message.data));
      refresh();
    });
    window.addEventListener("pagehide", () => source.close());
  }

  if (document.body.dataset.live) listen();
})();
