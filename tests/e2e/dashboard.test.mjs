// The dashboard in a real browser. Without Chromium there is nothing to test with.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { connect } from './lib/client.mjs';
import { fetchHttp } from './lib/http.mjs';
import { startHub } from './lib/server.mjs';
import { connectSse } from './lib/sse.mjs';
import { DEADLINE_MS, scaled, until } from './lib/until.mjs';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const skip = existsSync(executablePath) ? false : 'no Chromium';
const ARGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
const EVIL = '<img src=x onerror="document.title=1"><script>document.title=2</script>';

let browser;
before(async () => {
    if (!skip)
        browser = await chromium.launch({ executablePath, args: ARGS });
});
after(() => browser?.close());

/** The dashboard; what the browser complains about, the policy's violations among it, fails the test. */
async function visit(t, hub, options = {}) {
    const context = await browser.newContext(options);
    t.after(() => context.close());
    context.setDefaultTimeout(scaled(DEADLINE_MS));
    const page = await context.newPage();
    page.complaints = [];
    page.on('pageerror', error => page.complaints.push(error.stack));
    page.on('console', message => {
        if (message.type() === 'error' && !/Failed to load resource/.test(message.text()))
            page.complaints.push(message.text());
    });
    page.foreign = [];
    page.on('request', request => request.url().startsWith(hub.adminBase) || page.foreign.push(request.url()));
    t.after(() => assert.deepEqual([page.complaints, page.foreign], [[], []]));
    await page.goto(`${hub.adminBase}/`);
    return page;
}

const running = page => page.waitForSelector('body[data-state=running]');
const says = (page, selector, text) => until(async () =>
    (await page.locator(selector).allTextContents()).join('|').includes(text), () => `${selector} to say ${text}`);

test('it shows connections, rooms, sessions and plugins as they are, live', { skip }, async t => {
    const hub = await startHub(t, { node: 'north-1' });
    const clients = [await connect(hub), await connect(hub), await connectSse(hub, { rooms: ['lobby'] })];
    await clients[0].join('lobby');
    const page = await visit(t, hub);
    await running(page);
    assert.equal(await page.locator('#token-dialog').isVisible(), false);
    await says(page, '#node', 'north-1');
    await says(page, '.tile[data-key=connections] output', '3');
    await says(page, '#transports .bar', 'websocket');
    await says(page, '#rooms tbody tr', 'lobby2');
    await says(page, '#sessions tbody tr', 'guest');
    await says(page, '#plugins tbody tr', 'websocket');
    await says(page, '#nodes tbody tr', 'north-1');
    await clients[1].join('second');
    await clients[1].publish('second', 1);
    await says(page, '#rooms tbody tr', 'second1');
    await clients[0].close();
    await says(page, '.tile[data-key=connections] output', '2');
    await page.click('#rooms tbody tr:first-child button');
    await page.waitForSelector('#room-dialog[open]');
    await says(page, '#room-dialog tbody tr', 'guest');
    await until(async () => await page.locator('.tile[data-key=p99] i').textContent() !== '', 'a latency');
    const drawn = await page.evaluate(() => [...document.querySelectorAll('canvas')].map(canvas =>
        canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean)));
    assert.ok(drawn.length >= 9 && drawn.every(Boolean), drawn.join());
});

test('it asks for the token once', { skip }, async t => {
    const hub = await startHub(t, { admin: { token: 'open sesame' } });
    const page = await visit(t, hub);
    await page.waitForSelector('#token-dialog[open]');
    await page.fill('#token', 'wrong');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#token-wrong:not([hidden])');
    await page.fill('#token', 'open sesame');
    await page.keyboard.press('Enter');
    await running(page);
    await page.reload();
    await running(page);
    assert.equal(await page.locator('#token-dialog').isVisible(), false);
    assert.ok(!page.url().includes('sesame'));
    assert.ok(!hub.stderr.includes('sesame'));
});

test('the largest rooms come first, of more than one page, and any is found by its name', { skip }, async t => {
    const hub = await startHub(t, { limits: { rooms_per_session: 2000 } });
    const [one, two] = [await connect(hub), await connect(hub)];
    for (let from = 0; from < 1200; from += 100)
        await Promise.all(Array.from({ length: 100 }, (_, i) => one.join(`room-${from + i}`)));
    await two.join('room-777');
    const page = await visit(t, hub);
    await running(page);
    await until(async () => (await page.locator('#rooms tbody tr:first-child').textContent()) === 'room-7772', 'the largest');
    await says(page, '#rooms-count', '1,200');
    assert.equal(await page.locator('#rooms tbody tr').count(), 100);
    await page.click('#rooms-more');
    await until(async () => await page.locator('#rooms tbody tr').count() === 200, 'more of them');
    await page.fill('#rooms-filter', 'ROOM-119');
    await until(async () => (await page.locator('#rooms tbody tr').count()) === 11, 'room-119, and 1190 to 1199');
});

test('hostile names of rooms and alerts are text', { skip }, async t => {
    const hub = await startHub(t, { alerts: { rules: [{ alert: EVIL, metric: 'hubbub_connections', above: 0,
        annotations: { summary: `${EVIL} {{value}}` } }] } });
    const client = await connect(hub);
    for (const room of [EVIL, '__proto__', 'constructor', '\u202egnp.exe', 'x'.repeat(128), '"><b>'])
        await client.join(room);
    const page = await visit(t, hub, PHONE);
    await running(page);
    await says(page, '#rooms tbody tr', EVIL);
    await says(page, '.alert', `${EVIL} 1`);
    await page.locator('#rooms tbody button', { hasText: '<script>' }).click();
    await page.waitForSelector('#room-dialog[open]');
    await says(page, '#room-dialog h2', EVIL);
    assert.equal(await page.locator('main img, main script, main b b, #room-dialog img').count(), 0);
    assert.match(await page.title(), /hubbub/);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${overflow} pixels wider than the phone`);
});

test('after a while in which nobody looked it asks for what it missed; a new token is asked for at once', { skip }, async t => {
    const hub = await startHub(t, { admin: { token: 'first' } });
    const context = await browser.newContext();
    t.after(() => context.close());
    const page = await context.newPage();
    const asked = [];
    page.on('request', request => asked.push(...request.url().match(/history=\d+/) ?? []));
    await page.clock.install();
    await page.goto(`${hub.adminBase}/`);
    await page.waitForSelector('#token-dialog[open]');
    await page.fill('#token', 'first');
    await page.keyboard.press('Enter');
    await running(page);
    await until(() => asked.at(-1) === 'history=30', () => `few points to be asked for; ${asked}`);
    const before = asked.length;
    await page.clock.fastForward(120_000);
    await until(() => asked.slice(before).includes('history=600'), () => `all points to be asked for; ${asked}`);
    await until(() => asked.at(-1) === 'history=30', () => `few points to be asked for again; ${asked}`);
    hub.configure({ ...hub.config, admin: { token: 'second' } });
    hub.signal('SIGHUP');
    await page.waitForSelector('#token-dialog[open]');
    await page.fill('#token', 'second');
    await page.keyboard.press('Enter');
    const since = asked.length;
    await until(() => asked.length > since + 1 && !page.isClosed(), 'it to go on');
    assert.equal(await page.locator('#token-dialog').isVisible(), false);
});

test('it says when the server is away, and goes on when it is back', { skip }, async t => {
    const hub = await startHub(t);
    const page = await visit(t, hub);
    await running(page);
    await hub.stop();
    await page.waitForSelector('body[data-state=away]');
    assert.ok(await page.locator('#banner').isVisible());
    await hub.start();
    await running(page);
    assert.equal(await page.locator('#banner').isVisible(), false);
});

test('its files come with a strict policy, and need no token; what they show does', async t => {
    const hub = await startHub(t, { admin: { token: 'open sesame' } });
    for (const path of ['/', '/app.js', '/graph.js', '/app.css', '/icon.svg']) {
        const answer = await fetchHttp(hub.adminUrl(path));
        assert.equal(answer.status, 200, path);
        assert.match(answer.headers['content-security-policy'], /default-src 'none'.*frame-ancestors 'none'/);
        assert.equal(answer.headers['x-content-type-options'], 'nosniff');
        assert.doesNotMatch(answer.text, /https?:\/\/(?!www\.w3\.org)/);
    }
    for (const path of ['/api/v1/stats', '/api/v1/rooms', '/alerts', '/metrics'])
        assert.equal((await fetchHttp(hub.adminUrl(path))).status, 401, path);
});
