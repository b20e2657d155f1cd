// The one connection: server-sent events into the store. Closed while the tab is hidden, tried again when it breaks.
// It draws nothing; parts listen to "snapshot", "status", "metrics", "frame", "latent", "quality", "marks"
// and "connection".
(() => {
  "use strict";
  const { store, emit, on, url, playground } = window.gan;
  const GONE_AFTER_MS = 2000;
  let source = null, boot = null, retry = 0, retryTimer = 0, goneTimer = 0;

  const chosen = () => { try { return sessionStorage.getItem("gan.run"); } catch { return null; } };
  // Which run this browser looks at: an id, or null for the one that everybody is shown.
  function show(run) {
    try { if (run) sessionStorage.setItem("gan.run", run); else sessionStorage.removeItem("gan.run"); } catch { /* not kept */ }
    close();
    open();
  }

  function connection(state) {
    if (store.connection === state) return;
    store.connection = state;
    emit("connection");
  }
  function close() {
    clearTimeout(retryTimer);
    if (source) source.close();
    source = null;
  }
  function lost() {
    close();
    if (!goneTimer) goneTimer = setTimeout(() => connection("gone"), store.connection === "connecting" ? 3 * GONE_AFTER_MS : GONE_AFTER_MS);
    retry = Math.min(5000, retry ? retry * 1.6 : 300);
    // A class of 200 must not come back in the same instant.
    retryTimer = setTimeout(open, retry * (0.8 + 0.4 * Math.random()));
  }
  function heard() {
    retry = 0;
    clearTimeout(goneTimer);
    goneTimer = 0;
    connection("open");
  }

  function open() {
    if (source || document.hidden) return;
    source = new EventSource(url("stream", chosen() ? { run: chosen() } : {}));
    source.onerror = lost;
    for (const name of Object.keys(take)) {
      source.addEventListener(name, (event) => {
        const data = JSON.parse(event.data);
        if (name !== "snapshot" && !current(event.lastEventId)) return;
        heard();
        take[name](data);
        playground.state = store.status ? store.status.state : "none";
        playground.step = store.status ? store.status.step : 0;
        emit(name, data);
      });
    }
  }
  // Ids are boot.run.seq: what another server life or another run sent late is not ours.
  function current(id) {
    if (!id) return true;
    const first = id.indexOf("."), end = id.lastIndexOf(".");
    if (first < 0 || first === end) return true;
    return id.slice(0, first) === String(boot) && id.slice(first + 1, end) === String(store.run ?? "");
  }

  const NAMES = ["step", "d_loss", "g_loss", "d_real", "d_fake"];
  const take = {
    snapshot(data) {
      boot = data.boot;
      // A chosen run that is gone (deleted, another server) must not hold this browser.
      if (chosen() && data.run !== chosen()) try { sessionStorage.removeItem("gan.run"); } catch { /* not kept */ }
      const series = {};
      for (const name of NAMES) series[name] = [...((data.series || {})[name] || [])];
      const { run, name, kind, origin, preset, config, status, controls, worker, silent, frame, real, about, latent, active, data: what } = data;
      Object.assign(store, { run, name, kind, origin, preset, config, status, controls: controls || {}, worker, silent: silent || 0,
                             data: what || "images", frame, real, about: about || null, latent, active, series, history: [...(data.history || [])], pending: "",
                             quality: [...(data.quality || [])], floor: data.floor || null, marks: [...(data.marks || [])] });
      playground.run = run ?? null;
    },
    status(data) {
      const before = store.status && store.status.state;
      for (const key of ["status", "controls", "worker", "silent", "active"]) if (key in data) store[key] = data[key];
      if (store.status && store.status.state !== before) store.pending = "";
    },
    metrics(data) {
      const rows = (data.series.step || []).length;
      for (const name of NAMES) {
        const fresh = data.series[name] || [];
        for (let i = 0; i < rows; i++) store.series[name].push(fresh[i] ?? null);
      }
      thin(store.series);
    },
    frame(data) {
      store.frame = data;
      store.data = data.points ? "points" : "images";
      if (data.real) store.real = data.real; // comes with a run's first frame
      if (data.about) store.about = data.about;
      if (!store.history.some((entry) => entry.seq === data.seq)) store.history.push({ seq: data.seq, step: data.step });
      store.history = kept(store.history);
    },
    latent(data) { store.latent = data; },
    quality(data) {
      store.quality.push(...data.quality);
      if (data.floor) store.floor = data.floor;
    },
    marks(data) { store.marks.push(...data.marks); },
  };
  // The recorder's own rule, so that the slider offers what is still there: the newest two, and each 8% further on.
  function kept(history) {
    const found = [];
    history.forEach((entry, i) => {
      const last = found.length ? found[found.length - 1].step : -2;
      if (i >= history.length - 2 || entry.step > Math.max(last * 1.08, last + 1)) found.push(entry);
    });
    return found;
  }
  // A run of days must not fill the browser: of the older half every second point is dropped.
  function thin(series) {
    const size = series.step.length;
    if (size <= 4000) return;
    const keep = (_, i) => i % 2 === 0 || i > size / 2;
    for (const name of NAMES) series[name] = series[name].filter(keep);
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { close(); clearTimeout(goneTimer); goneTimer = 0; } else { retry = 0; open(); }
  });
  addEventListener("pagehide", close);
  addEventListener("pageshow", open);
  on("pending", () => { // the answer to a click comes by the stream; if none does, the page stops waiting
    const mine = store.pending;
    if (mine) setTimeout(() => { if (store.pending === mine) { store.pending = ""; emit("status"); } }, 6000);
  });
  window.gan.showRun = show;
  playground.showRun = show;
  open();
})();
