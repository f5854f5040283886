'use strict';
// What a run does, as the server tells it. The page keeps what it was told; each news says what is new.
(() => {
  const at = (id) => document.getElementById(id);
  const meta = (name) => document.querySelector(`meta[name="${name}"]`).content;
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const make = (tag, text, kind) => {
    const e = document.createElement(tag);
    if (text !== undefined) e.textContent = text;
    if (kind) e.className = kind;
    return e;
  };
  const put = (e, text) => { if (e.textContent !== text) e.textContent = text; };

  // Numbers in words.
  const known = (x) => typeof x === 'number' && isFinite(x);
  const short = (x, digits = 4) => known(x) ? String(+x.toPrecision(digits)) : '–';
  const of = (x, unit) => x + '\u00a0' + unit; // on one line
  const percent = (x) => known(x) ? of((100 * x).toFixed(1), '%') : '–';
  const grouped = (x) => String(x).replace(/\B(?=(\d{3})+(?!\d))/g, '\u00a0');
  const bytes = (x) => x >= 2 ** 30 ? of((x / 2 ** 30).toFixed(1), 'GiB') : x > 0 ? of(Math.round(x / 2 ** 20), 'MiB') : '–';
  const time = (s) => {
    if (!known(s)) return '–';
    if (s < 10) return of(s.toFixed(1), 's');
    s = Math.round(s);
    if (s < 60) return of(s, 's');
    if (s < 3600) return of(Math.floor(s / 60), 'min ') + of(s % 60, 's');
    if (s < 86400) return of(Math.floor(s / 3600), 'h ') + of(Math.floor(s % 3600 / 60), 'min');
    return of(Math.floor(s / 86400), 'd ') + of(Math.floor(s % 86400 / 3600), 'h');
  };
  const clock = (ms) => new Date(ms).toLocaleTimeString([], { hour12: false });
  const words = (text) => text.replaceAll('_', ' ');

  // The token: of this page, or behind the # of the address that the coordinator printed. It stays in this tab.
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  if (given) {
    sessionStorage.setItem('byol-token', given);
    history.replaceState(null, '', location.pathname);
  }
  const token = meta('byol-token') || sessionStorage.getItem('byol-token') || '';

  // Curves.
  let curves = { epoch: -1, step: [], loss: [], std: [], lr: [], tau: [], ips: [], probe: [], evaluations: [] };
  const columns = ['step', 'loss', 'std', 'lr', 'tau', 'ips', 'probe'];
  const takeCurves = (c) => {
    for (const name of columns) {
      curves[name] = (c.epoch === curves.epoch ? curves[name].slice(0, c.from) : []).concat(c[name] || []);
    }
    curves.epoch = c.epoch;
    curves.evaluations = c.evaluations || [];
  };
  const measured = (name) => [curves.evaluations.filter((e) => known(e.measures[name])).map((e) => e.step),
    curves.evaluations.map((e) => e.measures[name]).filter(known)];
  const charts = [
    { title: 'Loss', series: [{ label: 'loss', of: 'loss' }] },
    { title: 'Embedding std × √d', series: [{ label: 'std', of: 'std' }], zero: true, line: [0.2, '0.2: below it collapses'] },
    { title: 'Accuracy', percent: true, zero: true, series: [{ label: 'k-NN', eval: 'knn_top1' },
      { label: 'probe', eval: 'probe_top1' }, { label: 'probe, on training views', of: 'probe' }] },
    { title: 'Learning rate', series: [{ label: 'learning rate', of: 'lr' }], zero: true },
    { title: 'τ, the target’s decay', series: [{ label: 'τ', of: 'tau' }], digits: 7 },
    { title: 'Images per second', series: [{ label: 'images/s', of: 'ips' }], zero: true },
  ];
  const height = 210;
  const dataOf = (d) => {
    if (!d.series.some((s) => s.eval)) return [curves.step, ...d.series.map((s) => curves[s.of])];
    const tables = d.series.map((s) => s.eval ? measured(s.eval) : [curves.step, curves[s.of]]).map(([x, y]) =>
      x.length ? [x, y] : [[0], [null]]);
    return uPlot.join(tables);
  };
  const plot = (d) => {
    const card = make('div', undefined, 'card chart');
    const head = make('h3', d.title);
    d.last = head.appendChild(make('b', ''));
    card.append(head);
    d.box = card.appendChild(make('div'));
    at('charts').append(card);
    const show = (v) => v == null ? '–' : d.percent ? percent(v) : short(v, d.digits || 4);
    const axis = { stroke: () => css('--soft'), grid: { stroke: () => css('--rule'), width: 1 },
      ticks: { stroke: () => css('--rule'), width: 1 }, font: '11px system-ui, sans-serif' };
    const range = (u, low, high) => {
      if (!known(low) || !known(high)) return [0, 1];
      if (d.zero) low = Math.min(0, low);
      if (d.line) high = Math.max(high, d.line[0] * 1.25);
      const margin = (high - low || Math.abs(high) || 1) * 0.05;
      return [d.zero && low === 0 ? 0 : low - margin, high + margin];
    };
    const line = (u) => {
      if (!d.line) return;
      const y = u.valToPos(d.line[0], 'y', true), { left, width } = u.bbox, c = u.ctx;
      c.save();
      c.strokeStyle = c.fillStyle = css('--soft');
      c.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
      c.beginPath();
      c.moveTo(left, y);
      c.lineTo(left + width, y);
      c.stroke();
      c.font = 11 * devicePixelRatio + 'px system-ui, sans-serif';
      c.textAlign = 'right';
      c.textBaseline = 'bottom'; // whatever the axes left
      c.fillText(d.line[1], left + width - 4, y - 2 * devicePixelRatio);
      c.restore();
    };
    d.u = new uPlot({
      width: Math.max(200, d.box.clientWidth), height,
      scales: { x: { time: false }, y: { range } },
      axes: [{ ...axis, values: (u, all) => all.map((v) => v % 1 ? '' : grouped(v)) },
        { ...axis, size: (u, all) => Math.max(58, 22 + 7 * Math.max(0, ...(all || []).map((v) => v.length))), values: (u, all) => all.map((v) => d.percent ? Math.round(100 * v) + ' %' : short(v, 6)) }],
      series: [{ label: 'step', value: (u, v) => v == null ? '–' : grouped(v) }, ...d.series.map((s, i) => ({
        label: s.label, stroke: () => css('--c' + i), width: 1.6, value: (u, v) => show(v), spanGaps: !!s.eval,
        points: s.eval ? { show: true, size: 6, fill: () => css('--c' + i) } : {} }))],
      hooks: { draw: [line] }, cursor: { y: false },
    }, dataOf(d), d.box);
    d.show = show;
    new ResizeObserver(() => {
      const width = Math.max(200, d.box.clientWidth);
      if (width !== d.u.width) d.u.setSize({ width, height });
    }).observe(d.box);
  };
  const draw = () => {
    for (const d of charts) {
      const data = dataOf(d);
      d.u.setData(data);
      const last = data[1].findLast(known);
      put(d.last, known(last) ? d.show(last) : '');
      d.box.setAttribute('role', 'img');
      d.box.setAttribute('aria-label', `${d.title}: ${known(last) ? d.show(last) : 'nothing is known yet'}`);
    }
  };
  for (const media of ['(prefers-color-scheme: dark)', '(prefers-contrast: more)']) {
    matchMedia(media).addEventListener('change', () => charts.forEach((d) => d.u.redraw(false, true)));
  }

  // The view.
  let view = null, offset = 0; // offset is the server's clock less this one's
  const now = () => Date.now() + offset;
  const facts = (v) => {
    const l = v.learning, t = v.throughput, c = v.cluster, f = v.faults, k = v.checkpoint;
    const begun = v.progress.step > 0;
    const data = (t.phases || []).find((p) => p.name === 'data');
    return [
      ['loss', begun ? short(l.loss) : '–', begun ? 'gradient norm ' + short(l.gradient_norm, 3) : ''],
      ['std', begun && t.ips > 0 ? short(l.std, 3) : '–', '1 is healthy, below 0.2 collapsed', begun && t.ips > 0 && v.progress.epoch > 1 && l.std < 0.2],
      ['k-NN', l.knn_known ? percent(l.knn) : '–', l.knn_known ? `at step ${grouped(l.knn_step)}; untrained ${percent(l.knn_untrained)}` : 'not evaluated yet'],
      ['probe', l.probe_known ? percent(l.probe) : '–', l.probe_known ? `at step ${grouped(l.knn_step)}` : 'not evaluated yet'],
      ['images/s', t.ips > 0 ? short(t.ips, 4) : '–', t.p50 > 0 ? `step ${time(t.p50)}, slowest ${time(t.p99)}` + (data ? `, data ${of(Math.round(100 * data.ratio), '%')}` : '') : ''],
      ['learning rate', short(l.lr, 4), 'τ ' + short(l.tau, 7)],
      ['workers', `${c.ready} of ${c.expected}`, (c.standby ? `${c.standby} stand by; ` : '') + `goes on with ${c.min}`, !v.over && c.ready < c.expected],
      ['checkpoint', k.created ? 'step ' + grouped(k.step) : 'none yet', k.error ? k.error : k.created ? `${time((now() - k.created) / 1000)} ago, ${bytes(k.bytes)}` : '', !!k.error],
      ['recoveries', String(f.restarts), f.restarts ? `${f.rerun} ${f.rerun === 1 ? 'step' : 'steps'} run again, last took ${time(f.recovery)}; goodput ${percent(f.goodput)}` : 'none', false],
      ['leader', c.leader || 'none', `term ${c.term}, generation ${v.generation}` + (c.peers > 1 ? `, ${c.peers} coordinators` : ''), !c.leader],
    ];
  };
  const showFacts = (v) => {
    const box = at('facts');
    facts(v).forEach(([name, value, more, bad], i) => {
      let e = box.children[i];
      if (!e) {
        e = box.appendChild(make('div', undefined, 'fact'));
        e.append(make('span', name), make('b'), make('span'));
      }
      put(e.children[1], value);
      put(e.children[2], more);
      e.classList.toggle('bad', !!bad);
      e.classList.toggle('long', value.length > 10);
    });
  };
  const showProgress = (v) => {
    const p = v.progress;
    at('done').style.width = (100 * Math.min(1, p.fraction)) + '%';
    at('bar').setAttribute('aria-valuenow', String(Math.round(100 * p.fraction)));
    let text = `step ${grouped(p.step)} of ${grouped(p.target)} (${percent(p.fraction)})`;
    if (p.epochs) text += ` · epoch ${p.epoch.toFixed(2)} of ${p.epochs.toFixed(2)}`;
    text += ` · ${time(p.elapsed)} since this coordinator began`;
    if (p.eta > 0) text += ` · ends in ${time(p.eta)}`;
    if (p.evaluation_fraction > 0) text += ` · evaluation ${percent(p.evaluation_fraction)}`;
    if (p.unreadable) text += ` · ${p.unreadable} unreadable images`;
    put(at('progress'), text);
  };
  // rows makes as many rows as there are, of the cells [text, class].
  const rows = (body, all) => {
    while (body.rows.length > all.length) body.deleteRow(-1);
    all.forEach((cells, i) => {
      const row = body.rows[i] || body.insertRow();
      while (row.cells.length < cells.length) row.insertCell();
      cells.forEach(([text, kind], j) => {
        if (text || !row.cells[j].firstElementChild) put(row.cells[j], text);
        row.cells[j].className = kind || '';
      });
    });
  };
  const showWorkers = (v) => {
    const all = (v.workers || []).slice().sort((a, b) => (a.rank < 0) - (b.rank < 0) || a.rank - b.rank || a.id.localeCompare(b.id));
    const body = at('workers').tBodies[0];
    rows(body, all.map((w) => [
      [w.workers > 1 ? `${w.id} (${w.workers} workers)` : w.id], [w.rank < 0 ? 'stands by' : String(w.rank)], [w.phase, w.phase === 'gone' ? 'bad' : ''],
      [w.error || w.waiting || '', w.error ? 'bad wide' : 'wide'], [grouped(w.step), 'n'], [String(w.lag), w.lag > 2 ? 'n bad' : 'n'],
      [bytes(w.bytes), 'n'], [String(w.restarts), 'n'], [w.device || '–'], [`${w.host} ${w.pid || ''}`],
      [w.seen ? time(Math.max(0, now() - w.seen) / 1000) : '–', 'n'], ['', 'n']].slice(0, token ? 12 : 11)));
    if (token) all.forEach((w, i) => {
      const cell = body.rows[i].cells[11];
      const there = w.rank >= 0 && w.phase !== 'gone' && w.phase !== 'left' && !v.over;
      const b = cell.firstElementChild || cell.appendChild(make('button', 'drain'));
      b.type = 'button';
      b.hidden = !there;
      b.disabled = busy || !connected;
      b.dataset.drain = w.id;
      b.setAttribute('aria-label', 'drain ' + w.id);
    });
  };
  const showTimeline = (all) => {
    const track = at('track'), from = all.length ? all[0].begin : 0, to = all.length ? Math.max(all.at(-1).end, from + 1) : 1;
    while (track.children.length > all.length) track.lastChild.remove();
    const kinds = new Set();
    all.forEach((s, i) => {
      const e = track.children[i] || track.appendChild(make('i'));
      const long = (s.end - s.begin) / 1000;
      e.className = 'k-' + s.kind;
      e.style.flex = `${Math.max(3, 1000 * (s.end - s.begin) / (to - from))} 1 0`;
      e.title = `${clock(s.begin)}: ${words(s.kind)} for ${time(long)}, generation ${s.generation}, step ${s.step}` + (s.why ? '\n' + s.why : '');
      kinds.add(s.kind);
    });
    at('kinds').replaceChildren(...[...kinds].map((k) => {
      const e = make('span');
      e.append(make('i', undefined, 'k-' + k), words(k));
      return e;
    }));
    rows(at('stretches').tBodies[0], all.slice(-12).reverse().map((s) => [[clock(s.begin), 'when'],
      ['generation ' + s.generation], [words(s.kind)], [time((s.end - s.begin) / 1000), 'n'],
      [`to step ${grouped(s.step)}`], [s.kind === 'running' ? '' : s.why || '']]));
  };
  // One step of all workers: each has a row, above what the owner of its device did, below what went on beside.
  let chart = null, held = false;
  const span = (micros) => micros >= 1e6 ? of((micros / 1e6).toFixed(2), 's') : of((micros / 1e3).toFixed(micros < 1e4 ? 2 : 1), 'ms');
  const rowText = (row) => `${row.worker}: ` + chart.kinds.map((name, k) => [row.spent[k], name]).filter(([t]) => t > 0)
    .map(([t, name]) => `${name} ${span(t)}`).join(', ');
  const lanes = [['main', 0, 17], ['beside', 18, 8]];
  const paint = (canvas, row, colours) => {
    const wide = canvas.clientWidth, scale = devicePixelRatio || 1;
    canvas.width = Math.max(1, Math.round(wide * scale));
    canvas.height = Math.round(26 * scale);
    const c = canvas.getContext('2d');
    c.scale(canvas.width / chart.cells, scale);
    for (const [lane, top, high] of lanes) {
      for (let i = 0; i < row[lane].length; i += 3) {
        c.fillStyle = colours[row[lane][i]];
        c.fillRect(row[lane][i + 1], top, row[lane][i + 2], high);
      }
    }
  };
  const drawChart = () => {
    if (!chart) return;
    put(at('gantt-about'), `step ${grouped(chart.step)}, generation ${chart.generation}: ${span(chart.micros)}` +
      ' from its first image to its target; below, what goes on beside');
    at('hold').hidden = false;
    const used = chart.kinds.map((_, k) => chart.rows.reduce((sum, r) => sum + r.spent[k], 0) / chart.rows.length);
    at('gantt-kinds').replaceChildren(...chart.kinds.flatMap((name, k) => {
      if (!used[k]) return [];
      const e = make('span');
      e.append(make('i', undefined, 'q' + k), `${name} ${span(used[k])}`);
      return [e];
    }));
    const colours = chart.kinds.map((_, k) => {
      const e = at('gantt-kinds').querySelector('.q' + k);
      return e ? getComputedStyle(e).backgroundColor : 'transparent';
    });
    const box = at('gantt');
    while (box.children.length > chart.rows.length) box.lastChild.remove();
    chart.rows.forEach((row, i) => {
      let e = box.children[i];
      if (!e) {
        e = box.appendChild(make('div', undefined, 'gantt-row'));
        e.append(make('span'), make('canvas'));
        e.lastChild.setAttribute('role', 'img');
      }
      put(e.firstChild, row.worker);
      e.lastChild.setAttribute('aria-label', rowText(row));
      paint(e.lastChild, row, colours);
    });
  };
  at('gantt').addEventListener('pointermove', (e) => {
    const row = chart && chart.rows[[...at('gantt').children].indexOf(e.target.closest('.gantt-row'))];
    if (!row || e.target.tagName !== 'CANVAS') return;
    const box = e.target.getBoundingClientRect();
    const cell = Math.floor((e.clientX - box.left) / box.width * chart.cells);
    const runs = row[e.clientY - box.top < lanes[1][1] ? 'main' : 'beside'];
    for (let i = 0; i < runs.length; i += 3) {
      if (cell >= runs[i + 1] && cell < runs[i + 1] + runs[i + 2]) {
        const one = chart.micros / chart.cells;
        put(at('gantt-at'), `${row.worker}: ${chart.kinds[runs[i]]}, ${span(runs[i + 2] * one)}, ${span(runs[i + 1] * one)} into the step`);
        return;
      }
    }
    put(at('gantt-at'), '');
  });
  at('hold').addEventListener('click', () => {
    held = !held;
    at('hold').setAttribute('aria-pressed', String(held));
  });
  new ResizeObserver(drawChart).observe(at('gantt'));
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawChart);

  const grave = /lost|failed|broken|stalled|differs|quarantined|evicted|refused|exited|unreadable|no-progress|skipped/;
  const shown = 500;
  const addEvents = (all) => {
    const body = at('events').tBodies[0];
    for (const e of all) {
      const row = body.insertRow(0);
      if (grave.test(e.type)) row.className = 'grave';
      for (const [text, kind] of [[new Date(e.time).toLocaleString([], { hour12: false }), 'when'], [e.type, 'kind'],
        [e.worker && !e.text.startsWith(e.worker) ? e.worker + ': ' + e.text : e.text]]) {
        const cell = row.insertCell();
        cell.textContent = text;
        if (kind) cell.className = kind;
      }
    }
    while (body.rows.length > shown) body.deleteRow(-1);
  };
  const showView = (v, timeline) => {
    view = v;
    const last = timeline && timeline.at(-1);
    const state = last && last.kind === 'restoring' ? 'restoring' : v.state;
    put(at('run'), v.run || 'byol');
    document.title = `${percent(v.progress.fraction)} ${v.run || ''} – byol`;
    put(at('state'), words(state));
    at('state').className = 'state ' + state;
    put(at('about'), v.about);
    put(at('reason'), [v.reason, v.stale ? `this coordinator does not lead: ${v.cluster.leader || 'nobody'} does` : '', v.stale_reason]
      .filter(Boolean).join('; '));
    put(at('foot'), `byol ${v.build} · ${v.run_dir}`);
    const warnings = (v.warnings || []).join('\n');
    if (at('warnings').dataset.text !== warnings) {
      at('warnings').dataset.text = warnings;
      at('warnings').replaceChildren(...(v.warnings || []).map((w) => make('li', w)));
    }
    showProgress(v);
    showFacts(v);
    showWorkers(v);
    if (timeline) showTimeline(timeline);
    enable();
  };

  // Steering.
  const may = { pause: (v) => ['running', 'evaluating', 'waiting_for_workers'].includes(v.state), resume: (v) => v.state === 'paused',
    checkpoint: (v) => ['running', 'evaluating', 'paused'].includes(v.state), stop: (v) => !v.over && v.state !== 'stopping' };
  const asks = { stop: 'End the run after a checkpoint? The same command goes on with it.' };
  let busy = false;
  const buttons = [...document.querySelectorAll('[data-do]')];
  const enable = () => {
    for (const b of buttons) b.disabled = busy || !connected || !view || !(may[b.dataset.do] || (() => true))(view);
  };
  at('steer').hidden = !buttons.length || !token;
  const steer = async (what, worker) => {
    busy = true;
    enable();
    put(at('answer'), what + ' …');
    try {
      const r = await fetch('api/v1/' + what + (worker ? '?worker=' + encodeURIComponent(worker) : ''), { method: 'POST', headers: { 'X-Byol-Token': token } });
      const wrong = (await r.json()).error;
      put(at('answer'), wrong ? `${what}: ${wrong}` : `${what}: done`);
    } catch (e) {
      put(at('answer'), `${what}: no answer`);
    }
    busy = false;
    enable();
  };
  const sure = at('sure');
  const ask = (text, yes) => {
    put(at('sure-text'), text);
    at('sure-yes').onclick = () => { sure.close(); yes(); };
    sure.showModal();
    at('sure-no').focus();
  };
  for (const b of buttons) {
    b.addEventListener('click', () => {
      const what = b.dataset.do;
      if (asks[what]) ask(asks[what], () => steer(what));
      else steer(what);
    });
  }
  at('workers').addEventListener('click', (e) => {
    const worker = e.target.dataset.drain;
    if (worker) ask(`Have ${worker} leave at the next step boundary, for good?`, () => steer('drain', worker));
  });
  at('sure-no').addEventListener('click', () => sure.close());

  // The line: it ends with the coordinator, and is tried again.
  let source = null, heard = 0, connected = false, since = Date.now(), newest = -1;
  const silence = 10000, again = 1500;
  const instance = meta('byol-instance');
  const showLine = (on) => {
    if (on !== connected) since = Date.now();
    connected = on;
    document.body.classList.toggle('off', !on);
    const line = at('line');
    line.className = 'line ' + (on ? 'on' : 'off');
    put(line, on ? 'live' : `not connected since ${clock(since)}` + (view && view.over ? ': the run is over' : ', trying again'));
    enable();
  };
  const connect = () => {
    source = new EventSource('api/v1/watch');
    heard = Date.now();
    source.addEventListener('hello', (e) => {
      const h = JSON.parse(e.data);
      offset = h.now - Date.now();
      if (h.instance !== instance) {
        location.reload(); // another process: with a page of its own
        return;
      }
      curves.epoch = -1;
    });
    source.addEventListener('news', (e) => {
      heard = Date.now();
      showLine(true);
      const n = JSON.parse(e.data);
      if (n.curves) {
        takeCurves(n.curves);
        draw();
      }
      if (n.view) showView(n.view, n.timeline);
      if (n.chart && !held) {
        chart = n.chart;
        drawChart();
      }
      if (n.events) {
        addEvents(n.events.filter((v) => v.id > newest));
        newest = Math.max(newest, n.events.at(-1).id);
      }
    });
    source.addEventListener('error', hangUp);
  };
  const hangUp = () => {
    if (!source) return;
    source.close();
    source = null;
    showLine(false);
    setTimeout(connect, again);
  };
  setInterval(() => {
    if (source && Date.now() - heard > silence) hangUp();
    if (view && connected) {
      showFacts(view);
      showWorkers(view);
    }
  }, 1000);
  charts.forEach(plot);
  connect();
})();
