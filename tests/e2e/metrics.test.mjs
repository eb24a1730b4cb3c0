// Each metric is there from the start, and counts what it says: provoked one by one.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { connect, open, refused } from './lib/client.mjs';
import { fetchHttp } from './lib/http.mjs';
import { SECRET, tokenFor } from './lib/jwt.mjs';
import { connectPoll } from './lib/poll.mjs';
import { buildDir, startHub } from './lib/server.mjs';
import * as sio from './lib/sio.mjs';
import { connectSse } from './lib/sse.mjs';
import { until } from './lib/until.mjs';

const ROOMS = [
    { match: 'closed', join: 'nobody', publish: 'nobody' },
    { match: '*', join: 'anyone', publish: 'members', history: { messages: 5, age: '5m' } },
];
const AUTH = { plugins: { load: [{ 'auth-jwt': { secret: SECRET } }] } };
const becomes = (hub, name, labels, value) => {
    let is;
    return until(async () => (is = await hub.metric(name, labels)) === value,
        () => `${name}${JSON.stringify(labels)} to be ${value}; it is ${is}`);
};

test('all metrics are there from the start, at 0', async t => {
    const hub = await startHub(t);
    const { text } = await hub.admin('/metrics');
    const label = (name, values) => values.map(value => `${name}="${value}"`);
    const transports = ['websocket', 'sse', 'longpoll'];
    const expected = {
        hubbub_connections: label('transport', transports),
        hubbub_connections_opened_total: label('transport', transports),
        hubbub_connections_closed_total: label('reason', ['client', 'protocol_error', 'heartbeat', 'slow_consumer',
            'expired', 'refused', 'kicked', 'rate_limit', 'drain']),
        hubbub_connections_rejected_total: label('reason', ['capacity', 'per_ip', 'rate', 'origin', 'credentials', 'draining']),
        hubbub_messages_received_total: label('transport', transports),
        hubbub_messages_delivered_total: label('transport', transports),
        hubbub_messages_dropped_total: label('reason', ['slow_consumer']),
        hubbub_errors_total: label('code', ['bad_request', 'unauthorized', 'rate_limited', 'internal']),
        hubbub_auth_failures_total: label('reason', ['missing', 'invalid', 'expired', 'timeout']),
        hubbub_rate_limited_total: label('scope', ['connect', 'join', 'publish', 'call']),
        hubbub_recoveries_total: label('result', ['recovered', 'lost']),
    };
    for (const [name, all] of Object.entries(expected))
        for (const one of all)
            assert.match(text, new RegExp(`^${name}\\{[^}]*${one}[^}]*\\} 0$`, 'm'));
    for (const name of ['hubbub_sessions', 'hubbub_rooms', 'hubbub_room_memberships', 'hubbub_received_bytes_total',
        'hubbub_sent_bytes_total', 'hubbub_delivery_seconds_count', 'hubbub_slow_consumers_total', 'hubbub_outbox_bytes',
        'hubbub_backend_seconds_count', 'hubbub_draining'])
        assert.match(text, new RegExp(`^${name} 0$`, 'm'));
    assert.match(text, /^hubbub_backend_up 1$/m);
    assert.match(text, /^hubbub_build_info\{version="[\d.]+"\} 1$/m);
    assert.match(text, /^hubbub_loop_lag_seconds [\d.e-]+$/m);
    for (const name of ['cpu_seconds_total', 'resident_memory_bytes', 'virtual_memory_bytes', 'start_time_seconds',
        'open_fds', 'max_fds'])
        assert.ok(Number(new RegExp(`^process_${name} (\\S+)$`, 'm').exec(text)[1]) >= 0, name);
    assert.ok(Math.abs(await hub.metric('process_start_time_seconds') - Date.now() / 1000) < 120);
});

test('connections, sessions, rooms, messages and bytes of each transport', async t => {
    const hub = await startHub(t, { rooms: ROOMS });
    const all = { websocket: await connect(hub), sse: await connectSse(hub), longpoll: await connectPoll(hub) };
    for (const [transport, client] of Object.entries(all)) {
        await becomes(hub, 'hubbub_connections', { transport }, 1);
        assert.equal(await hub.metric('hubbub_connections_opened_total', { transport }), 1);
        await client.join('room');
    }
    await becomes(hub, 'hubbub_sessions', {}, 3);
    await becomes(hub, 'hubbub_rooms', {}, 1);
    await becomes(hub, 'hubbub_room_memberships', {}, 3);
    for (const client of Object.values(all))
        await client.publish('room', 'x'.repeat(1000));
    for (const client of Object.values(all))
        for (let i = 0; i < 3; i++)
            await client.nextMessage('room');
    for (const transport of Object.keys(all)) {
        await becomes(hub, 'hubbub_messages_received_total', { transport }, 1);
        await becomes(hub, 'hubbub_messages_delivered_total', { transport }, 3);
    }
    assert.ok(await hub.metric('hubbub_delivery_seconds_count') >= 6, 'delivery times');
    const [received, sent] = [await hub.metric('hubbub_received_bytes_total'), await hub.metric('hubbub_sent_bytes_total')];
    assert.ok(received > 3000 && received < 20_000, `${received} received`);
    assert.ok(sent > 9000 && sent < 40_000, `${sent} sent`);
    await all.websocket.close();
    all.sse.terminate();
    await all.longpoll.quit();
    for (const transport of Object.keys(all)) {
        await becomes(hub, 'hubbub_connections', { transport }, 0);
        await becomes(hub, 'hubbub_connections_closed_total', { transport, reason: 'client' }, 1);
    }
    await becomes(hub, 'hubbub_sessions', {}, 0);
    await becomes(hub, 'hubbub_room_memberships', {}, 0);
    await becomes(hub, 'hubbub_outbox_bytes', {}, 0);
});

test('the same of Socket.IO clients, by polling and by WebSocket, and promtool agrees to all of it',
    { skip: !existsSync(join(buildDir, 'transports/socketio.so')) && 'not built' }, async t => {
        const hub = await startHub(t, { rooms: ROOMS, transports: { socketio: {}, websocket: {} } });
        const transport = 'socketio';
        const all = [await sio.connect(t, hub, { transports: ['polling'] }), await sio.connect(t, hub, { transports: ['websocket'] })];
        const other = await connect(hub);
        await other.join('room');
        for (const socket of all)
            await sio.join(socket, 'room');
        await becomes(hub, 'hubbub_connections', { transport }, 2);
        await becomes(hub, 'hubbub_connections_opened_total', { transport }, 2);
        await becomes(hub, 'hubbub_sessions', {}, 3);
        await becomes(hub, 'hubbub_room_memberships', {}, 3);
        for (const socket of all)
            await sio.publish(socket, 'room', { text: 'hi' });
        await other.publish('room', { text: 'hi' });
        for (const socket of all)
            await sio.receives(socket, 'message', 3);
        await becomes(hub, 'hubbub_messages_received_total', { transport }, 2);
        await becomes(hub, 'hubbub_messages_received_total', { transport: 'websocket' }, 1);
        await becomes(hub, 'hubbub_messages_delivered_total', { transport }, 6);
        await becomes(hub, 'hubbub_messages_delivered_total', { transport: 'websocket' }, 3);
        const { ok } = (await sio.ask(all[0], 'join-room', 'closed'))[0];
        assert.equal(ok, false);
        await becomes(hub, 'hubbub_errors_total', {}, 1);
        if (spawnSync('which', ['promtool']).status === 0) {
            const { text } = await hub.admin('/metrics');
            const check = spawnSync('promtool', ['check', 'metrics'], { input: text });
            assert.deepEqual([check.status, check.stderr.toString()], [0, '']);
        }
        all.forEach(socket => socket.disconnect());
        await becomes(hub, 'hubbub_connections_closed_total', { transport, reason: 'client' }, 2);
        await becomes(hub, 'hubbub_connections', { transport }, 0);
        await becomes(hub, 'hubbub_sessions', {}, 1);
    });

test('refusals by reason: capacity, address, origin, credentials, rate', async t => {
    const hub = await startHub(t, { ...AUTH, limits: { connections: 6, connections_per_ip: 3 }, rooms: ROOMS });
    const rejected = (reason, n) => becomes(hub, 'hubbub_connections_rejected_total', { reason }, n);
    await refused(hub, 403, { origin: 'https://evil.example.com', token: tokenFor('a') });
    await rejected('origin', 1);
    await refused(hub, 401, { token: 'nonsense' });
    await rejected('credentials', 1);
    await becomes(hub, 'hubbub_auth_failures_total', { reason: 'invalid' }, 1);
    await refused(hub, 401, { token: tokenFor('a', {}, { ttl: -60 }) });
    await becomes(hub, 'hubbub_auth_failures_total', { reason: 'expired' }, 1);
    assert.equal((await fetchHttp(hub.url('/hub/sse'))).status, 401);
    await becomes(hub, 'hubbub_auth_failures_total', { reason: 'missing' }, 1);
    for (let i = 0; i < 3; i++)
        await connect(hub, { token: tokenFor('a') });
    await refused(hub, 429, { token: tokenFor('a') });
    await rejected('per_ip', 1);

    const full = await startHub(t, { limits: { connections: 2 } });
    await connect(full);
    await connect(full);
    await refused(full, 503);
    await becomes(full, 'hubbub_connections_rejected_total', { reason: 'capacity' }, 1);

    const limited = await startHub(t, { plugins: { load: [
        { 'rate-limit': { connects: { rate: '1/m', burst: 1, per: 'ip' }, messages: { rate: '1/m', burst: 1 } } }] } });
    const one = await connect(limited);
    await refused(limited, 429);
    await becomes(limited, 'hubbub_connections_rejected_total', { reason: 'rate' }, 1);
    await becomes(limited, 'hubbub_rate_limited_total', { scope: 'connect' }, 1);
    await one.join('r');
    await one.publish('r', 1);
    await one.fails({ type: 'publish', room: 'r', data: 2 }, 'rate_limited');
    await becomes(limited, 'hubbub_rate_limited_total', { scope: 'publish' }, 1);
    await becomes(limited, 'hubbub_errors_total', { code: 'rate_limited' }, 2);
    assert.ok(await limited.metric('hubbub_hook_seconds_count', { plugin: 'rate-limit', hook: 'publish' }) >= 2);
});

test('errors by code, recoveries by result', async t => {
    const hub = await startHub(t, { rooms: ROOMS });
    const client = await connect(hub);
    for (const [op, code] of [[{ type: 'join', room: '' }, 'bad_request'], [{ type: 'what' }, 'unknown_type'],
        [{ type: 'join', room: 'closed' }, 'unauthorized'], [{ type: 'call', event: 'x' }, 'not_found']]) {
        await client.fails(op, code);
        await becomes(hub, 'hubbub_errors_total', { code }, 1);
    }
    const { cursor } = await client.join('room');
    await client.publish('room', 0);
    await client.leave('room');
    await client.join('room', { since: cursor });
    await becomes(hub, 'hubbub_recoveries_total', { result: 'recovered' }, 1);
    for (let i = 0; i < 10; i++)
        await client.publish('room', i);
    await client.leave('room');
    await client.join('room', { since: cursor });
    await becomes(hub, 'hubbub_recoveries_total', { result: 'lost' }, 1);
    assert.equal(await hub.metric('hubbub_recoveries_total', { result: 'recovered' }), 1);
});

test('how connections end', async t => {
    const hub = await startHub(t, { ...AUTH, rooms: ROOMS, limits: { auth_time: '100ms', outbox: '64KiB' },
        heartbeat: { interval: '100ms', timeout: '150ms' } });
    const closed = (reason, n) => becomes(hub, 'hubbub_connections_closed_total', { reason }, n);
    const waiting = await connect(hub, { welcome: false });
    await waiting.waitClose();
    await becomes(hub, 'hubbub_auth_failures_total', { reason: 'timeout' }, 1);
    await closed('refused', 1);
    const kicked = await connect(hub, { token: tokenFor('a') });
    await hub.admin(`/api/v1/sessions/${kicked.welcome.session}`, { method: 'DELETE', headers: { 'Content-Type': 'application/json' } });
    await closed('kicked', 1);
    const short = await connect(hub, { token: tokenFor('a', {}, { ttl: 2 }) });
    await short.waitClose();
    await closed('expired', 1);
    const silent = await connect(hub, { token: tokenFor('a'), ws: { autoPong: false } });
    await silent.waitClose();
    await closed('heartbeat', 1);
    const faulty = await connect(hub, { token: tokenFor('a') });
    faulty.send(Buffer.from([1, 2, 3]));
    await faulty.waitClose();
    await closed('protocol_error', 1);
    await becomes(hub, 'hubbub_connections', {}, 0);
});

test('a slow consumer: what waits, what is dropped', async t => {
    const hub = await startHub(t, { rooms: ROOMS, limits: { outbox: '1MiB', connections_per_ip: 0 } });
    const [slow, fast] = [await connect(hub), await connect(hub)];
    await slow.join('room');
    await fast.join('room');
    slow.pause();
    const data = 'x'.repeat(60_000);
    let waited = 0;
    await until(async () => {
        for (let i = 0; i < 10; i++)
            await fast.publish('room', data, { echo: false });
        waited = Math.max(waited, await hub.metric('hubbub_outbox_bytes'));
        return await hub.metric('hubbub_slow_consumers_total') === 1;
    }, 'the slow one to be closed', 30_000);
    assert.ok(waited > 60_000, `${waited} bytes waited`);
    assert.ok(await hub.metric('hubbub_messages_dropped_total', { reason: 'slow_consumer' }) > 0);
    await becomes(hub, 'hubbub_connections_closed_total', { reason: 'slow_consumer' }, 1);
    slow.terminate();
    await becomes(hub, 'hubbub_outbox_bytes', {}, 0);
});

test('what had to wait for its reader is in the times of delivery, each message once', async t => {
    const hub = await startHub(t, { rooms: ROOMS, limits: { outbox: '64MiB' } });
    const writer = await connect(hub), count = 800;
    const reader = await connectSse(hub, { rooms: ['room', 'other'] }); // its ids are its own
    reader.pause();
    await writer.join('room');
    for (let i = 0; i < count; i++)
        await writer.publish('room', 'x'.repeat(20_000), { echo: false });
    assert.ok(await hub.metric('hubbub_outbox_bytes') > 0, 'nothing waits');
    reader.resume();
    await until(() => reader.messages('room').length === count, 'all messages');
    await becomes(hub, 'hubbub_delivery_seconds_count', {}, count);
});

test('while it drains that is said, and newcomers are counted', async t => {
    const hub = await startHub(t, { drain: { timeout: '5s', delay: '1s' } });
    const { client } = await open(hub);
    hub.signal('SIGTERM');
    await becomes(hub, 'hubbub_draining', {}, 1);
    const ready = await fetchHttp(hub.adminUrl('/readyz'));
    assert.deepEqual([ready.status, ready.json.checks.state], [503, 'draining']);
    await client.waitClose();
    await hub.waitExit();
});
