// examples/chat in a real browser, against the mock. Without Chromium there is nothing to test with.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { startMock } from './lib/mock.mjs';
import { DEADLINE_MS, scaled, until } from './lib/until.mjs';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const skip = existsSync(executablePath) ? false : 'no Chromium';
const ARGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
    '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const PHONE = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

let browser;
before(async () => {
    if (!skip)
        browser = await chromium.launch({ executablePath, args: ARGS });
});
after(() => browser?.close());

/** A page of its own visitor; what the browser complains about fails the test, network errors aside. */
async function visit(t, mock, { path = '/', nick, ...options } = {}) {
    const context = await browser.newContext(options);
    t.after(() => context.close());
    context.setDefaultTimeout(scaled(DEADLINE_MS));
    if (nick)
        await context.addInitScript(name => localStorage.setItem('chat.nick', name), nick);
    const page = await context.newPage();
    page.complaints = [];
    page.on('pageerror', error => page.complaints.push(error.stack));
    page.on('console', message => {
        if (message.type() === 'error' && !/Failed to load resource|WebSocket connection/.test(message.text()))
            page.complaints.push(message.text());
    });
    t.after(() => assert.deepEqual(page.complaints, []));
    await page.goto(mock.base + path);
    await page.waitForSelector('body[data-state=online]');
    return page;
}

async function say(page, text) {
    await page.fill('#text', text);
    await page.keyboard.press('Enter');
}

const shown = page => page.locator('.message .text').allTextContents();
const shows = (page, texts) => until(async () =>
    JSON.stringify(await shown(page)) === JSON.stringify(texts), async () => `${texts}`);
const using = (page, transport) => page.waitForSelector(`body[data-state=online][data-transport=${transport}]`);
const choose = (page, transport) => page.check(`input[value=${transport}]`, { force: true });

test('two guests talk, and each sees who said what', { skip }, async t => {
    const mock = await startMock(t);
    const [one, two] = [await visit(t, mock, { nick: 'Ada' }), await visit(t, mock, { nick: 'Grace' })];
    await say(one, 'hello');
    await shows(two, ['hello']);
    await say(two, 'hello yourself');
    await shows(one, ['hello', 'hello yourself']);
    assert.equal(await one.locator('.message.mine').count(), 1);
    assert.equal(await one.locator('.message:not(.mine) .name').textContent(), 'Grace');
    assert.equal(await one.locator('.message:not(.mine) .tag').textContent(), 'guest');
    assert.deepEqual(await two.locator('#people-list .name').allTextContents(), ['Grace', 'Ada']);
    assert.equal(await one.locator('.message.waits').count(), 0);
});

test('hostile names and texts are text', { skip }, async t => {
    const mock = await startMock(t);
    const evil = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
    const page = await visit(t, mock);
    mock.room('lobby').add({ event: evil, user: null, data: { text: evil, nick: evil } });
    mock.publish('lobby', { text: evil, nick: `\u202e${'x'.repeat(500)}\n\u0007` }, evil);
    mock.publish('lobby', { text: { toString: 1 }, nick: ['a'] });
    mock.publish('lobby', 'x'.repeat(5000));
    mock.publish('lobby', null);
    await until(async () => (await shown(page)).length >= 4, 'the messages');
    assert.equal(await page.locator('#log img, #log script, #people img').count(), 0);
    assert.ok((await shown(page)).includes(evil));
    const names = await page.locator('.message .name').allTextContents();
    assert.ok(names.every(name => name.length <= 40 && !/[\p{C}]/u.test(name)), names.join('|'));
    const overflows = await page.evaluate(() => {
        const log = document.getElementById('log');
        return log.scrollWidth > log.clientWidth || document.documentElement.scrollWidth > innerWidth;
    });
    assert.equal(overflows, false);
    assert.match(await page.title(), /hubbub/);
});

test('the transport is shown and switched by hand, in mid-conversation', { skip }, async t => {
    const mock = await startMock(t);
    const page = await visit(t, mock);
    const all = [];
    for (const transport of ['sse', 'longpoll', 'websocket', 'sse']) {
        const before = `before ${transport}`, after = `after ${transport}`;
        mock.publish('lobby', before);
        await choose(page, transport);
        mock.publish('lobby', `while ${transport}`);
        await using(page, transport);
        mock.publish('lobby', after);
        all.push(before, `while ${transport}`, after);
        await shows(page, all);
        assert.match(await page.locator('#status-text').textContent(), /^Online, /);
    }
    assert.equal(await page.locator('.notice.bad').count(), 0);
});

test('where WebSockets are blocked it goes on by SSE, then by long polling', { skip }, async t => {
    const mock = await startMock(t);
    mock.off.add('websocket');
    const page = await visit(t, mock);
    await using(page, 'sse');
    mock.off.add('sse');
    mock.cut();
    await using(page, 'longpoll');
    await say(page, 'still here');
    await shows(page, ['still here']);
});

test('the history comes first, and unread messages of other rooms are counted', { skip }, async t => {
    const mock = await startMock(t);
    mock.publish('lobby', 'old');
    const page = await visit(t, mock);
    await shows(page, ['old']);
    mock.publish('random', 1);
    mock.publish('random', 2);
    const badge = page.locator('#rooms li:nth-child(2) .unread');
    await until(async () => await badge.textContent() === '2', 'the count');
    assert.match(await page.title(), /^\(2\) lobby/);
    await page.click('#rooms li:nth-child(2) .room');
    await shows(page, ['1', '2']);
    assert.equal(await badge.isVisible(), false);
    await page.fill('#join-name', 'a new one');
    await page.keyboard.press('Enter');
    assert.equal(await page.locator('#title').textContent(), 'a new one');
    await say(page, 'first');
    await shows(page, ['first']);
    await page.reload();
    await page.waitForSelector('body[data-state=online]');
    assert.deepEqual(await page.locator('#rooms .name').allTextContents(), ['lobby', 'random', 'a new one']);
    await page.click('#rooms li:nth-child(3) .room');
    await shows(page, ['first']);
    assert.equal(await page.locator('.message.mine').count(), 1);
    await page.locator('#rooms li:nth-child(3) .leave').click({ force: true });
    assert.equal(await page.locator('#title').textContent(), 'lobby');
});

test('what is written offline is sent later; what was missed for good is said', { skip }, async t => {
    const mock = await startMock(t, { historyLimit: 2 });
    const page = await visit(t, mock);
    mock.publish('lobby', 'before');
    await shows(page, ['before']);
    mock.answer = { status: 503, retryAfter: 60 }; // it does not come back by itself meanwhile
    mock.cut();
    await page.waitForSelector('#banner:not([hidden])');
    await say(page, 'from offline');
    await page.waitForSelector('.message.waits');
    for (const n of [1, 2, 3, 4])
        mock.publish('lobby', n);
    mock.answer = null;
    await page.click('#retry');
    await page.waitForSelector('.notice.bad');
    await until(async () => await page.locator('.message.waits').count() === 0, 'the message to go out');
    await until(async () => (await shown(page)).includes('4'), 'what the history still has');
    const texts = await shown(page);
    assert.deepEqual(texts.filter(text => text !== '3'), ['before', 'from offline', '4']);
    assert.equal(await page.locator('#banner').isVisible(), false);
});

test('a token comes by the fragment or the field, and stays out of addresses', { skip }, async t => {
    const mock = await startMock(t);
    const page = await visit(t, mock, { path: '/#token=alice' });
    await page.waitForSelector('#signed:not([hidden])');
    assert.equal(await page.locator('#signed b').textContent(), 'alice');
    assert.equal(page.url(), `${mock.base}/`);
    await page.reload();
    await page.waitForSelector('#signed:not([hidden])');
    await page.click('#sign-out');
    await page.waitForSelector('#nick-form:not([hidden])');
    await page.click('#token-box summary');
    await page.fill('#token', 'bob');
    await page.keyboard.press('Enter');
    await page.waitForSelector('#signed:not([hidden])');
    await choose(page, 'longpoll');
    await using(page, 'longpoll');
    await say(page, 'hello');
    await until(() => mock.published.some(({ user }) => user === 'bob'), 'the message');
    for (const { url } of mock.requests)
        assert.ok(!/alice|bob/.test(url), url);
});

test('a wrong token says so, and nothing is tried again', { skip }, async t => {
    const mock = await startMock(t);
    const page = await visit(t, mock);
    await page.click('#token-box summary');
    await page.fill('#token', 'bad');
    await page.keyboard.press('Enter');
    await page.waitForSelector('body[data-state=closed]');
    assert.match(await page.locator('#banner-text').textContent(), /unauthorized/);
});

test('on a phone the panels are drawers, and nothing is wider than the screen', { skip }, async t => {
    const mock = await startMock(t);
    const page = await visit(t, mock, PHONE);
    assert.equal(await page.locator('#side').isVisible(), false);
    await page.click('[popovertarget=side]');
    await page.waitForSelector('#side:popover-open');
    await page.click('#rooms li:nth-child(2) .room');
    await page.waitForSelector('#side', { state: 'hidden' });
    assert.equal(await page.locator('#title').textContent(), 'random');
    await page.click('[popovertarget=people]');
    await page.waitForSelector('#people:popover-open');
    await page.keyboard.press('Escape');
    await page.waitForSelector('#people', { state: 'hidden' });
    assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
});

test('a page that was offline or left comes back to the conversation', { skip }, async t => {
    const mock = await startMock(t);
    const page = await visit(t, mock);
    await choose(page, 'longpoll');
    await using(page, 'longpoll');
    await page.context().setOffline(true);
    mock.publish('lobby', 'while offline');
    await page.context().setOffline(false);
    await shows(page, ['while offline']);
    const sessions = mock.sessions.size;
    await page.goto('about:blank');
    await until(() => mock.sessions.size === sessions - 1, 'the session to be ended');
    await page.goBack();
    await page.waitForSelector('body[data-state=online]');
    await shows(page, ['while offline']);
});
