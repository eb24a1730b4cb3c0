// The template of a transport, built outside of the tree against what is installed: a transport needs
// no change in core/.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { join } from 'node:path';
import test from 'node:test';
import { connect } from './lib/client.mjs';
import { install } from './lib/installed.mjs';
import { SECRET, tokenFor } from './lib/jwt.mjs';
import { buildDir, startHub } from './lib/server.mjs';
import { until, within } from './lib/until.mjs';

// A stream of lines: {status, lines (parsed), next(matches), ended, destroy}.
async function openLines(hub, query, headers = {}) {
    const outgoing = request(hub.url(`/lines?${query}`), { headers, agent: false }).end();
    const answer = await within(new Promise((resolve, reject) =>
        outgoing.once('response', resolve).once('error', reject)), 'an answer');
    const lines = [];
    let rest = '', blank = 0;
    answer.setEncoding('utf8').on('data', text => {
        const parts = (rest + text).split('\n');
        rest = parts.pop();
        blank += parts.filter(line => line === '').length;
        lines.push(...parts.filter(Boolean).map(line => JSON.parse(line)));
    });
    const ended = new Promise(done => answer.once('close', done).on('error', () => {}));
    return {
        status: answer.statusCode, headers: answer.headers, lines, ended,
        blank: () => blank,
        body: async () => { await ended; return JSON.parse(rest); },
        next: matches => until(() => lines.find(matches), `a line that matches ${matches}`),
        destroy: () => outgoing.destroy(),
    };
}

async function start(t, config = {}) {
    const place = await install(t);
    const folder = place.copyExample('transport-template');
    place.sh('meson setup --werror build && ninja -C build', folder);
    return startHub(t, { transports: { directories: [join(folder, 'build'), join(buildDir, 'transports')],
        websocket: {}, lines: {} }, ...config });
}

test('lines and WebSockets meet in one room', async t => {
    const hub = await start(t);
    const alice = await connect(hub);
    await alice.join('lobby');
    const stream = await openLines(hub, 'room=lobby&room=other');
    assert.equal(stream.status, 200);
    assert.equal(stream.headers['content-type'], 'application/x-ndjson');
    const welcome = await stream.next(m => m.type === 'welcome');
    assert.equal((await stream.next(m => m.type === 'joined' && m.room === 'lobby')).members, 2);
    await alice.publish('lobby', { text: 'hi' });
    assert.deepEqual((await stream.next(m => m.type === 'message')).data, { text: 'hi' });
    const sent = await hub.http(`/hub/send?ticket=${welcome.ticket}`, { method: 'POST',
        body: { type: 'publish', id: 1, room: 'lobby', data: 'from lines' } });
    assert.equal(sent.json[0].ok, true);
    assert.equal((await alice.next(m => m.data === 'from lines')).room, 'lobby');
    await until(async () => await hub.metric('hubbub_connections', { transport: 'lines' }) === 1, 'its metric');
    stream.destroy();
    await until(async () => await hub.metric('hubbub_connections', { transport: 'lines' }) === 0, 'its end');
    assert.equal((await alice.join('lobby')).members, 1);
});

test('a stream that comes back with its cursor has missed nothing', async t => {
    const hub = await start(t);
    const alice = await connect(hub);
    await alice.join('lobby');
    const first = await openLines(hub, 'room=lobby');
    const { cursor } = await first.next(m => m.type === 'joined');
    first.destroy();
    for (let i = 0; i < 100; i++)
        await alice.publish('lobby', i);
    const again = await openLines(hub, `room=lobby&cursor=${encodeURIComponent(cursor)}`);
    assert.equal((await again.next(m => m.type === 'joined')).recovered, true);
    await alice.publish('lobby', 100);
    await again.next(m => m.data === 100);
    assert.deepEqual(again.lines.filter(m => m.type === 'message').map(m => m.data),
        Array.from({ length: 101 }, (_, i) => i));
});

test('what may not be joined, and who may not come, is refused with a status', async t => {
    const hub = await start(t, { plugins: { load: [{ 'auth-jwt': { secret: SECRET } }] },
        rooms: [{ match: 'open', join: 'authenticated' }, { match: '*', join: 'nobody' }] });
    const none = await openLines(hub, 'room=open');
    assert.equal(none.status, 401);
    assert.equal((await none.body()).error.code, 'unauthorized');
    const headers = { Authorization: `Bearer ${tokenFor('alice')}` };
    const closed = await openLines(hub, 'room=shut', headers);
    assert.equal(closed.status, 403);
    assert.equal((await closed.body()).error.code, 'forbidden');
    const many = await openLines(hub, Array.from({ length: 129 }, (_, i) => `room=${i}`).join('&'), headers);
    assert.equal(many.status, 400);
    const open = await openLines(hub, 'room=open&room=shut', headers);
    assert.equal(open.status, 200);
    assert.equal((await open.next(m => m.type === 'joined' && m.room === 'shut')).ok, false);
    open.destroy();
});

test('heartbeats are empty lines, and a drain ends the stream after its bye', async t => {
    const hub = await start(t, { heartbeat: { interval: '1s', timeout: '1s' } });
    const stream = await openLines(hub, 'room=lobby');
    await until(() => stream.blank() >= 2, 'two heartbeats');
    await hub.stop();
    await within(stream.ended, 'the end of the stream');
    assert.equal(stream.lines.at(-1).type, 'bye');
    assert.equal(stream.lines.at(-1).code, 1001);
});

test('clients that leave at any moment leave nothing behind', async t => {
    const hub = await start(t);
    for (let i = 0; i < 100; i++) {
        const outgoing = request(hub.url(`/lines?room=r${i % 7}`), { agent: false }).end();
        outgoing.on('error', () => {});
        if (i % 3 === 0)
            outgoing.once('socket', socket => socket.once('connect', () => outgoing.destroy()));
        else
            outgoing.once('response', answer => answer.on('error', () => {}) && outgoing.destroy());
    }
    await until(async () => await hub.metric('hubbub_connections_opened_total', { transport: 'lines' }) > 60,
        'most of them');
    await until(async () => await hub.metric('hubbub_sessions') === 0, 'the end of all sessions');
});
