// What a person does with the page, in a browser without a screen. It says on standard output what the test is to do
// with the server, and waits for an answer on standard input.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline/promises';

const [modules, executablePath, url, shots] = process.argv.slice(2);
const { chromium } = createRequire(modules + '/')('playwright-core');
const lines = createInterface({ input: process.stdin });
const answers = lines[Symbol.asyncIterator]();
const ask = async (word) => {
  console.log('ASK ' + word);
  return (await answers.next()).value;
};
const wrong = [];
const check = (ok, text) => { if (!ok) wrong.push(text); };

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
const patience = 60000;
for (const width of [390, 800, 1600]) {
  for (const colorScheme of ['light', 'dark']) {
    const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    page.on('console', (m) => check(m.type() !== 'error' && m.type() !== 'warning', `${width} ${colorScheme}: console: ${m.text()}`));
    page.on('pageerror', (e) => check(false, `${width} ${colorScheme}: ${e.message}`));
    await page.goto(url);
    await page.waitForFunction(() => document.getElementById('line').textContent === 'live', null, { timeout: patience });
    const seen = await page.evaluate(() => ({
      scroll: document.documentElement.scrollWidth, inner: innerWidth,
      ground: getComputedStyle(document.body).backgroundColor, workers: document.querySelectorAll('#workers tbody tr').length,
      charts: [...document.querySelectorAll('.chart canvas')].map((c) => c.width > 0 && c.height > 0),
      labels: [...document.querySelectorAll('.chart [role=img]')].map((c) => c.getAttribute('aria-label')),
      events: document.querySelectorAll('#events tr').length, stretches: document.querySelectorAll('#track i').length,
      rows: [...document.querySelectorAll('#gantt canvas')].map((c) => [c.getAttribute('aria-label'),
        new Set(new Uint32Array(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size]),
      kinds: document.querySelectorAll('#gantt-kinds span').length,
      small: [...document.querySelectorAll('button')].filter((b) => b.offsetParent && b.offsetHeight < 24).length,
    }));
    const at = `${width} ${colorScheme}: `;
    check(seen.scroll <= seen.inner, at + `the page is ${seen.scroll} wide`);
    check(seen.workers === 2, at + seen.workers + ' workers');
    check(seen.charts.length === 6 && seen.charts.every(Boolean), at + 'charts ' + seen.charts);
    check(seen.labels.every((l) => l && !l.includes('nothing')), at + 'charts say ' + seen.labels);
    check(seen.events >= 4 && seen.stretches >= 1, at + `${seen.events} events, ${seen.stretches} stretches`);
    check(seen.rows.length === 2 && seen.rows.every(([label, colours]) => label.includes('forward') && colours >= 7) &&
      seen.kinds === 9, at + `one step: ${seen.kinds} kinds, rows ${JSON.stringify(seen.rows)}`);
    check(seen.small === 0, at + 'buttons nobody can hit');
    const [r, g, b] = seen.ground.match(/\d+/g).map(Number);
    check((r + g + b < 200) === (colorScheme === 'dark'), at + 'the ground is ' + seen.ground);
    if (shots) await page.screenshot({ path: `${shots}/page-${width}-${colorScheme}.png`, fullPage: true });
    await page.close();
  }
}

const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
let down = false;
page.on('console', (m) => check(down || m.type() !== 'error', `console: ${m.text()}`));
page.on('pageerror', (e) => check(false, e.message));
await page.goto(url);
const has = (id, text) => page.waitForFunction(([id, text]) => document.getElementById(id).textContent.includes(text),
  [id, text], { timeout: patience }).catch(() => check(false, `#${id} never says ${text}`));
await has('line', 'live');
await page.evaluate(() => { window.sameDocument = true; });
await ask('step');
await has('progress', 'step 8 of');
await has('events', 'something new');
check(await page.evaluate(() => window.sameDocument === true), 'the page was loaded again for a step');

await has('gantt-about', 'step 8');
await page.locator('#gantt canvas').first().hover({ position: { x: 200, y: 5 } });
await has('gantt-at', 'worker-0');
await page.locator('#hold').click();
await ask('trace 9');
await ask('step');
await page.waitForTimeout(1000);
await has('gantt-about', 'step 8');
await page.locator('#hold').click();
await ask('trace 20');
await has('gantt-about', 'step 21');

// By keyboard: tab to pause, press it; stop asks first, and no is what has the focus.
const focused = async (name) => {
  for (let i = 0; i < 30; i++) {
    if (await page.evaluate((n) => document.activeElement.dataset?.do === n, name)) return true;
    await page.keyboard.press('Tab');
  }
  return false;
};
check(await focused('pause'), 'pause cannot be reached by keyboard');
check(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle !== 'none'), 'the focus cannot be seen');
await page.keyboard.press('Enter');
await has('answer', 'pause: done');
check((await ask('asked')) === 'pause', 'pause was not asked for once');
check(await focused('stop'), 'stop cannot be reached by keyboard');
await page.keyboard.press('Enter');
await page.keyboard.press('Enter'); // no
check((await ask('asked')) === 'pause', 'stop was asked for although the answer was no');
check(!(await page.evaluate(() => document.getElementById('sure').open)), 'the question stays open');
await page.keyboard.press('Escape');
await page.getByRole('button', { name: 'drain worker-0' }).click();
await page.getByRole('button', { name: 'yes' }).click();
await has('answer', 'drain: done');
check((await ask('asked')) === 'pause,drain worker-0', 'worker-0 was not drained');

// The coordinator dies, and comes back.
down = true;
await ask('die');
await has('line', 'not connected since');
check(await page.evaluate(() => [...document.querySelectorAll('[data-do]')].every((b) => b.disabled)), 'buttons of a dead coordinator');
await ask('live');
await has('line', 'live');
await has('progress', 'step 8 of');
await browser.close();
lines.close();
for (const text of wrong) console.log('WRONG ' + text);
console.log('END');
