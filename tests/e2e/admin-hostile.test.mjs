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

/** The thread sanitizer keeps two and a half bytes on each byte that was ever written. */
const SANITIZED = process.env.TSAN_OPTIONS ? 3.5 : 1;

const memory = hub =>
    Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${hub.pid}/status`, 'utf8'))[1]) * 1024 / SANITIZED;

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

// Who sends hundreds of megabytes to a sanitized server is slow itself.
const PATIENT = { limits: { header_time: '2m', body_time: '2m' } };
// The address sanitizer keeps what is freed: where memory is measured, little of it.
const MEASURED = { env: { ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:quarantine_size_mb=1:thread_local_quarantine_size_kb=64` } };

test('a large body without the token is refused by its head', async t => {
    const hub = await startHub(t, { admin: { token: TOKEN }, ...PATIENT }, MEASURED);
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
    const hub = await startHub(t, PATIENT, MEASURED); // no token: whoever is on this machine
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

/* ---- mutated requests ---- */

const SEED = Number(process.env.HUBBUB_SEED) || 20_240_607;
const REQUESTS = 3000;
const LANES = 8;

// xorshift32: the same requests for the same seed.
function randomOf(seed) {
    let state = seed | 0 || 1;
    const below = n => {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        return (state >>> 0) % n;
    };
    return { below, pick: list => list[below(list.length)] };
}

const METHODS = ['GET', 'GET', 'HEAD', 'POST', 'POST', 'DELETE', 'PUT', 'OPTIONS', 'TRACE', 'get', 'G\u0001T', 'X'.repeat(300)];
const PATHS = ['/', '/healthz', '/readyz', '/metrics', '/alerts', '/app.js', '/api/v1/stats', '/api/v1/nodes',
    '/api/v1/plugins', '/api/v1/rooms', '/api/v1/rooms/r', '/api/v1/rooms/r/presence', '/api/v1/rooms/r/history',
    '/api/v1/rooms/r/members', '/api/v1/sessions', '/api/v1/sessions/x', '/api/v1/users/u/sessions',
    '/api/v1/publish', '/api/v1/broadcast', '/api/v1/revocations', '*', 'http://a/b', ''];
const PIECES = ['%00', '%2', '%zz', '%2f', '%2e%2e', '//', '/../', '%ff%fe', '%c0%af', '\u00e9', '%25', '@', ';', '#', '\u007f', '\t'];
const QUERIES = ['', '', '?limit=1', '?limit=0', '?limit=-1', '?limit=99999999999999999999', '?limit', '?cursor=0.0',
    '?cursor=1.4294967296', '?cursor=%', '?cursor=..', '?limit=1&limit=2', `?${'&'.repeat(500)}`, '?=&=', '?limit=%31'];
const HEADERS = ['Content-Type: application/json', 'Content-Type: text/plain', 'Host: 127.0.0.1', 'Host:', 'Origin: null',
    'Origin: http://evil.example', 'Authorization: Bearer', 'Authorization: \u00ff', 'Transfer-Encoding: chunked',
    'Transfer-Encoding: gzip, chunked', 'Content-Length: -1', 'Content-Length: 99999999999999999999', 'Expect: 100-continue',
    'Upgrade: websocket\r\nConnection: Upgrade', ' folded', 'No colon', `X: ${'y'.repeat(9000)}`, ': nameless', 'Range: bytes=0-1'];
const BODIES = ['', '{}', '[]', 'null', '{"room":"r","data":1}', '[{"room":"r","data":1}]', '{"user":"u","data":{"a":[1,2]}}',
    '{"room":"r","data":1,"key":"k"}', '{"event":"e","data":"\\ud800"}', '{"user":"u","issued_before":1e400}',
    '{"session":"s"}', '{"jti":"j"}', '"'.repeat(99), '['.repeat(3000), '{"room":"r","room":"s","data":1}', '\u0000\u00ff'];

function mutate(r, text) {
    const at = r.below(text.length + 1);
    const kind = r.below(4);
    if (kind === 0)
        return text.slice(0, at) + r.pick(PIECES) + text.slice(at);
    if (kind === 1)
        return text.slice(0, at) + text.slice(at + 1 + r.below(3));
    if (kind === 2)
        return text.slice(0, at) + String.fromCharCode(r.below(256)) + text.slice(at + 1);
    return text + text.slice(at);
}

function hostileRequest(r) {
    const sometimes = text => (r.below(3) ? text : mutate(r, text));
    const body = sometimes(r.pick(BODIES));
    const headers = ['Host: 127.0.0.1', 'Content-Type: application/json', 'Connection: close'];
    if (body)
        headers.push(`Content-Length: ${r.below(8) ? body.length : r.below(200)}`);
    for (let n = r.below(3); n > 0; n--)
        headers.splice(r.below(headers.length + 1), 0, sometimes(r.pick(HEADERS)));
    const head = `${r.pick(METHODS)} ${sometimes(r.pick(PATHS))}${sometimes(r.pick(QUERIES))} HTTP/1.${r.below(20) ? 1 : 0}`;
    return r.below(10) ? `${head}\r\n${headers.join('\r\n')}\r\n\r\n${body}` : mutate(r, `${head}\r\n${headers.join('\r\n')}\r\n\r\n${body}`);
}

/** All that is answered until the server closes; our side says at once that no more comes. */
function ask(hub, request) {
    return within(new Promise(done => {
        const socket = connectTcp(hub.adminPort, '127.0.0.1');
        let answer = '';
        socket.setEncoding('latin1');
        socket.on('data', text => { answer += text; });
        socket.on('error', () => {});
        socket.on('close', () => done(answer));
        socket.end(Buffer.from(request, 'latin1'));
    }), `an end to ${JSON.stringify(request.slice(0, 300))}`);
}

function judge(request, answer) {
    const says = `${JSON.stringify(request.slice(0, 500))} → ${answer.slice(0, 300)}`;
    if (!answer)
        return;
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]);
    assert.ok(status === 100 || (status >= 200 && status < 500) || status === 503, says);
    const [head, body = ''] = answer.split(/\r\n\r\n(.*)/s);
    if (status >= 400 && body && /application\/json/i.test(head))
        assert.ok(JSON.parse(body).error?.code, says);
}

test(`${REQUESTS} mutated requests get a proper answer or none, and harm nothing (HUBBUB_SEED=${SEED})`, async t => {
    const hub = await startHub(t);
    const member = await connect(hub);
    await member.join('untouched');
    const r = randomOf(SEED);
    let left = REQUESTS, answered = 0;
    const lane = async () => {
        while (left-- > 0) {
            const request = hostileRequest(r);
            const answer = await ask(hub, request);
            judge(request, answer);
            answered += answer ? 1 : 0;
        }
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    assert.ok(answered > REQUESTS / 2, `only ${answered} were answered`);
    assert.equal((await hub.publish({ room: 'untouched', event: 'after', data: 1 })).status, 200);
    await until(async () => (await member.nextMessage('untouched')).event === 'after', 'the member to get it');
    const { json } = await hub.admin('/api/v1/stats');
    assert.equal(json.sessions, 1, JSON.stringify(json).slice(0, 300));
});
