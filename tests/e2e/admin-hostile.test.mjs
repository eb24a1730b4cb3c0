// The admin listener under attack: what it holds stays bounded, and it answers all the while.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import test from 'node:test';
import { connect } from './lib/client.mjs';
import { startHub } from './lib/server.mjs';
import { until, within } from './lib/until.mjs';

const TOKEN = 'an admin token';
const MIB = 1024 * 1024;
const SPARE = 48 * MIB; // what a hundred short answers and a sanitizer may cost

const memory = hub =>
    Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${hub.pid}/status`, 'utf8'))[1]) * 1024;

/** A connection to the admin listener that writes `head`, then whatever feed() is given. */
function attacker(t, hub, head) {
    const socket = connectTcp(hub.adminPort, '127.0.0.1');
    const it = { socket, answer: '', closed: false };
    socket.setEncoding('latin1');
    socket.on('data', text => { it.answer += text; });
    socket.on('error', () => {});
    it.ended = new Promise(done => socket.on('close', () => done(it.closed = true)));
    socket.write(head);
    t.after(() => socket.destroy());
    return it;
}

const post = (length, more = '') => `POST /api/v1/publish HTTP/1.1\r\nHost: 127.0.0.1\r\n`
    + `Content-Type: application/json\r\n${length}\r\n${more}\r\n`;

/** Offers each of them `bytes` of body, as far as the server takes them. */
async function feed(attackers, bytes, encode = chunk => chunk) {
    const chunk = encode(Buffer.alloc(64 * 1024, ' '));
    for (let sent = 0; sent < bytes; sent += 64 * 1024) {
        const open = attackers.filter(a => !a.closed && !a.socket.writableNeedDrain);
        open.forEach(a => a.socket.write(chunk));
        await new Promise(setImmediate);
    }
}

const chunked = chunk => Buffer.concat([Buffer.from('10000\r\n'), chunk, Buffer.from('\r\n')]);

async function staysWell(hub, before) {
    assert.equal((await hub.admin('/healthz')).status, 200);
    assert.ok(memory(hub) - before < SPARE, `it grew by ${(memory(hub) - before) / MIB} MiB`);
}

test('a large body without the token is refused by its head', async t => {
    const hub = await startHub(t, { admin: { token: TOKEN } });
    const before = memory(hub);
    for (const [length, encode] of [['Content-Length: 8000000'], ['Transfer-Encoding: chunked', chunked]]) {
        const attackers = Array.from({ length: 100 }, () => attacker(t, hub, post(length)));
        await feed(attackers, 7 * MIB, encode);
        await staysWell(hub, before);
        await within(Promise.all(attackers.map(a => a.ended)), 'all of them to be closed');
        for (const a of attackers.filter(a => a.answer))
            assert.match(a.answer, /^HTTP\/1\.1 401 .*"unauthorized"/s);
        assert.ok(attackers.some(a => a.answer));
    }
});

test('with the token a large body is read', async t => {
    const hub = await startHub(t, { admin: { token: TOKEN } });
    const body = `{"room":"r","data":1}${' '.repeat(4 * MIB)}`;
    const headers = { Authorization: `Bearer ${TOKEN}`, 'Content-Type': 'application/json' };
    assert.equal((await hub.admin('/api/v1/publish', { method: 'POST', headers, body })).status, 200);
});

test('what all requests hold together is bounded', async t => {
    const hub = await startHub(t); // no token: whoever is on this machine
    const before = memory(hub);
    const attackers = Array.from({ length: 60 }, () => attacker(t, hub, post('Content-Length: 8000000')));
    await feed(attackers, 7 * MIB);
    assert.equal((await hub.admin('/healthz')).status, 200);
    await until(() => attackers.some(a => a.closed), 'the largest to be dropped');
    assert.ok(memory(hub) - before < 64 * MIB * 2 + SPARE, `it grew by ${(memory(hub) - before) / MIB} MiB`);
});

test('connections that say nothing make room for those that do', async t => {
    const hub = await startHub(t, { admin: { token: TOKEN } });
    const heads = ['', 'GET /metr', post('Content-Length: 1000', `X: ${'x'.repeat(1000)}\r\n`)];
    const attackers = Array.from({ length: 600 }, (_, i) => attacker(t, hub, heads[i % heads.length]));
    await until(() => attackers.filter(a => a.closed).length >= 200, 'the oldest to be closed');
    for (let i = 0; i < 20; i++)
        assert.equal((await hub.admin('/healthz')).status, 200);
});

test('a stranger gets one answer on a connection, however many requests come', async t => {
    const hub = await startHub(t, { admin: { token: TOKEN } });
    const one = 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n';
    const a = attacker(t, hub, one.repeat(500) + post('Content-Length: 8000000'));
    await within(a.ended, 'the connection to be closed');
    assert.equal(a.answer.match(/HTTP\/1\.1 /g).length, 1);
    const b = attacker(t, hub, one.replace('\r\n\r\n', `\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`).repeat(50));
    await until(() => b.answer.match(/HTTP\/1\.1 200/g)?.length === 50, 'an admin to get all fifty');
});

