// The chat and the client in a real browser against the real server: over each transport, behind a
// proxy that refuses WebSockets, in seven tabs. SCREENSHOTS=folder keeps what it looked like.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { SECRET, tokenFor } from './lib/jwt.mjs';
import { startNginx, startNginxHttp2 } from './lib/proxies.mjs';
import { root, startHub } from './lib/server.mjs';
import { DEADLINE_MS, scaled } from './lib/until.mjs';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const skip = existsSync(executablePath) ? false : 'no Chromium';
const ARGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const CHAT = { static: { path: '/', directory: join(root, 'examples/chat') } };
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

let browser;
before(async () => {
    if (!skip)
        browser = await chromium.launch({ executablePath, args: ARGS });
});
after(() => browser?.close());

async function visitor(t, options = {}) {
    const context = await browser.newContext({ ignoreHTTPSErrors: true, ...options });
    t.after(() => context.close());
    context.setDefaultTimeout(scaled(DEADLINE_MS * 2));
    return context;
}

async function visit(context, base) {
    const page = await context.newPage();
    await page.goto(base);
    await page.waitForSelector('body[data-state=online]');
    return page;
}

const using = (page, transport) => page.waitForSelector(`body[data-state=online][data-transport=${transport}]`);
const shows = (page, text) => page.getByText(text, { exact: true }).first().waitFor();
const shot = (page, name) => process.env.SCREENSHOTS && page.screenshot({ path: join(process.env.SCREENSHOTS, `${name}.png`) });

async function say(page, text) {
    const box = page.locator('textarea, input[type=text]').last();
    await box.fill(text);
    await box.press('Enter');
    await shows(page, text);
}

test('who has spoken is called away only where the server tells who is there', { skip }, async t => {
    const jwt = { 'auth-jwt': { secret: SECRET, anonymous: true } };
    const tagOfAlice = async load => {
        const hub = await startHub(t, { ...CHAT, plugins: { load },
            rooms: [{ match: '*', join: 'anyone', publish: 'members', presence: load.length > 1, history: { messages: 100, age: '5m' } }] });
        const alice = await visit(await visitor(t), `${hub.base}/#token=${tokenFor('alice')}`);
        const guest = await visit(await visitor(t), hub.base);
        await say(alice, 'hello');
        await shows(guest, 'hello');
        await alice.context().close();
        await guest.locator('#people-list li:not(.here)').waitFor();
        await shot(guest, `chat-people-${load.length}`);
        return guest.locator('#people-list .tag').textContent();
    };
    assert.equal(await tagOfAlice([jwt]), '');
    assert.equal(await tagOfAlice([jwt, { presence: { grace: '100ms' } }]), 'away');
});

test('two people talk in the chat, over each transport', { skip }, async t => {
    const hub = await startHub(t, CHAT);
    const desk = await visit(await visitor(t), hub.base), phone = await visit(await visitor(t, PHONE), hub.base);
    for (const transport of ['sse', 'longpoll', 'websocket']) {
        await desk.check(`input[value=${transport}]`, { force: true });
        await using(desk, transport);
        await say(desk, `<b>over</b> ${transport}`);
        await shows(phone, `<b>over</b> ${transport}`);
        await say(phone, `heard you over ${transport}`);
        await shows(desk, `heard you over ${transport}`);
        await shot(desk, `chat-${transport}`);
        await shot(phone, `chat-${transport}-phone`);
    }
});

test('behind a proxy that refuses WebSockets the chat finds another way by itself', { skip }, async t => {
    const hub = await startHub(t, { ...CHAT, cors: { origins: ['*'] } });
    const { plain } = await startNginx(t, hub);
    const direct = await visit(await visitor(t), hub.base), behind = await visit(await visitor(t), plain);
    assert.notEqual(await behind.getAttribute('body', 'data-transport'), 'websocket');
    await say(behind, 'from behind the proxy');
    await shows(direct, 'from behind the proxy');
    await say(direct, 'to behind the proxy');
    await shows(behind, 'to behind the proxy');
});

/** Seven tabs of one browser, which share its connections to the host. */
async function sevenTabs(t, base, transport) {
    const context = await visitor(t);
    const tabs = await Promise.all(Array.from({ length: 7 }, async () => {
        const page = await context.newPage();
        await page.goto(base);
        await page.evaluate(async name => {
            const { connect } = await import('/hub/client.js');
            window.got = [];
            window.hub = connect(location.origin, { transports: [name] });
            window.hub.on('message', ({ data }) => window.got.push(data));
            await window.hub.join('tabs');
        }, transport);
        return page;
    }));
    for (const [i, page] of tabs.entries())
        await page.evaluate(n => window.hub.publish('tabs', n), i);
    for (const page of tabs) {
        await page.waitForFunction(() => window.got.length === 7);
        assert.deepEqual(await page.evaluate(() => window.got), [0, 1, 2, 3, 4, 5, 6]);
    }
}

test('seven tabs over WebSocket', { skip }, async t => {
    const hub = await startHub(t, CHAT);
    await sevenTabs(t, `${hub.base}/chat.css`, 'websocket');
});

test('seven tabs over SSE and over long polling, through a proxy that speaks HTTP/2', { skip }, async t => {
    const hub = await startHub(t, { ...CHAT, cors: { origins: ['*'] } });
    const base = await startNginxHttp2(t, hub);
    await sevenTabs(t, `${base}/chat.css`, 'sse');
    const other = await startHub(t, { ...CHAT, cors: { origins: ['*'] } });
    await sevenTabs(t, `${await startNginxHttp2(t, other)}/chat.css`, 'longpoll');
});
