// The stock client as a page loads it, in a real browser: over each way, with bytes, cut off and back.
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join as path } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { SECRET, tokenFor } from './lib/jwt.mjs';
import { startRelay } from './lib/relay.mjs';
import { startHub } from './lib/server.mjs';
import { WAYS } from './lib/sio.mjs';
import { DEADLINE_MS, scaled, until } from './lib/until.mjs';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const skip = existsSync(executablePath) ? false : 'no Chromium';
const client = path(dirname(createRequire(import.meta.url).resolve('socket.io-client/package.json')), 'dist/socket.io.min.js');

let browser;
before(async () => {
    if (!skip)
        browser = await chromium.launch({ executablePath, args: ['--headless', '--no-sandbox', '--disable-gpu'] });
});
after(() => browser?.close());

function site(t) {
    const folder = mkdtempSync(path(tmpdir(), 'hubbub-page-'));
    t.after(() => rmSync(folder, { recursive: true }));
    copyFileSync(client, path(folder, 'socket.io.js'));
    writeFileSync(path(folder, 'index.html'), '<!doctype html><title>chat</title><script src="socket.io.js"></script>');
    return folder;
}

/** A page with a socket in the room, which keeps what it is told in `window.got`. */
async function visit(t, base, user, transports) {
    const context = await browser.newContext();
    t.after(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(scaled(DEADLINE_MS * 2));
    await page.goto(base);
    await page.evaluate(({ token, transports }) => new Promise((resolve, reject) => {
        window.got = [];
        window.socket = io({ auth: { token }, transports, reconnectionDelay: 50 });
        socket.on('message', message => got.push(message));
        socket.on('connect_error', reject);
        socket.once('connect', () => socket.emit('join-room', 'lobby', answer => answer.ok ? resolve() : reject(answer)));
    }), { token: tokenFor(user), transports });
    return page;
}

const say = (page, text, bytes) => page.evaluate(({ text, bytes }) => new Promise(resolve =>
    socket.emit('message', { roomId: 'lobby', text, ...bytes && { bytes: Uint8Array.from(bytes) } }, resolve)), { text, bytes });
const heard = (page, n) => page.waitForFunction(n => got.length >= n, n);

for (const [way, transports] of Object.entries(WAYS))
    test(`${way}: two pages talk, with bytes, and one that is cut off misses nothing`, { skip }, async t => {
        const hub = await startHub(t, { static: { path: '/', directory: site(t) }, transports: { socketio: {} },
            plugins: { load: [{ 'auth-jwt': { secret: SECRET } }] } });
        const relay = await startRelay(t, hub);
        const alice = await visit(t, hub.base, 'alice', transports), bob = await visit(t, relay.base, 'bob', transports);
        assert.equal((await say(alice, 'hi', [1, 2, 255])).ok, true);
        for (const page of [alice, bob]) {
            await heard(page, 1);
            assert.deepEqual(await page.evaluate(() => [got[0].userId, got[0].text, [...new Uint8Array(got[0].bytes)]]),
                ['alice', 'hi', [1, 2, 255]]);
        }
        await bob.evaluate(() => socket.once('disconnect', () => { window.gone = true; }));
        await bob.waitForFunction(way => socket.io.engine.transport.name === way, transports.at(-1));
        await until(async () => { // between two polls there is nothing to cut
            relay.cut();
            return bob.evaluate(() => window.gone);
        }, 'the cut to be noticed');
        await say(alice, 'while bob was away');
        await bob.waitForFunction(() => socket.connected && socket.recovered);
        await say(bob, 'back');
        for (const page of [alice, bob]) {
            await heard(page, 3);
            assert.deepEqual(await page.evaluate(() => got.map(({ text }) => text)), ['hi', 'while bob was away', 'back']);
        }
    });
