// Drain and reload as clients live through them: paced, nothing lost, all or nothing.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { connect, open, refused } from './lib/client.mjs';
import { fetchHttp } from './lib/http.mjs';
import { connectPoll } from './lib/poll.mjs';
import { hasRedis } from './lib/redis.mjs';
import { buildDir, startHub } from './lib/server.mjs';
import { connectSse } from './lib/sse.mjs';
import { until, within } from './lib/until.mjs';

const ROOM = (more = {}) => [{ match: '*', join: 'anyone', publish: 'members', history: { messages: 100, age: '5m' }, ...more }];
const post = (hub, path) => hub.admin(path, { method: 'POST', body: {} });
const hasProxy = spawnSync('which', ['haproxy']).status === 0;
const hasSocketio = existsSync(join(buildDir, 'transports/socketio.so'));

test('clients are told to come back each at another time, evenly over the spread', async t => {
    const hub = await startHub(t, { drain: { timeout: '8s', spread: '4s' }, limits: { connections_per_ip: 0 } });
    const clients = await Promise.all(Array.from({ length: 200 }, () => open(hub)));
    hub.signal('SIGTERM');
    const ends = await Promise.all(clients.map(({ client }) => client.waitClose()));
    const delays = ends.map(({ bye }) => bye.delay).sort((a, b) => a - b);
    assert.ok(ends.every(({ code, bye }) => code === 1001 && bye.reconnect));
    assert.ok(delays.at(-1) < 4000);
    for (let from = 0; from < 4000; from += 500) {
        const within500 = delays.filter(delay => delay >= from && delay < from + 500).length;
        assert.ok(within500 <= 200 / 8 * 1.2 + 1, `${within500} come back between ${from} and ${from + 500} ms`);
    }
    assert.deepEqual(await hub.waitExit(), { code: 0, signal: null });
});

test('a message that was accepted before the end is delivered before it', async t => {
    const hub = await startHub(t, { rooms: ROOM() });
    const [alice, bob] = [await connect(hub), await connect(hub)];
    await bob.join('r');
    await alice.join('r');
    const sent = Array.from({ length: 50 }, (_, i) => alice.publish('r', i));
    await Promise.all(sent);
    hub.signal('SIGTERM');
    await bob.waitClose();
    assert.deepEqual(bob.messages('r').map(({ data }) => data), sent.map((_, i) => i));
    await hub.waitExit();
});

test('every transport gets its bye; a second signal ends at once', async t => {
    const hub = await startHub(t, { drain: { timeout: '20s', delay: '1s' } });
    const all = [await connect(hub), await connectSse(hub), await connectPoll(hub)];
    hub.signal('SIGTERM');
    await until(async () => (await fetchHttp(hub.adminUrl('/readyz'))).status === 503, 'not to be ready');
    const late = await connect(hub); // drain.delay: still taken
    for (const client of [...all, late])
        assert.equal((await client.next(m => m.type === 'bye')).code, 1001);
    hub.signal('SIGTERM');
    const exit = await within(hub.ended, 'the end');
    hub.expectedExit = exit;
});

test('a second TERM ends a long drain at once, with sessions still open', async t => {
    const hub = await startHub(t, { drain: { timeout: '1h', delay: '1h' } });
    await connect(hub);
    hub.signal('SIGTERM');
    await until(async () => (await fetchHttp(hub.adminUrl('/readyz'))).status === 503, 'not to be ready');
    hub.signal('SIGTERM');
    await hub.waitExit();
});

test('clients that can not be told are closed one after the other',
    { skip: !hasSocketio && 'no Socket.IO transport was built' }, async t => {
        const { io } = await import('socket.io-client');
        const hub = await startHub(t, { transports: { socketio: {} }, drain: { timeout: '8s', spread: '2s' }, limits: { connections_per_ip: 0 } });
        const times = [];
        const sockets = await Promise.all(Array.from({ length: 100 }, async () => {
            const socket = io(hub.base, { transports: ['websocket'], reconnection: false, forceNew: true });
            t.after(() => socket.disconnect());
            await within(new Promise(done => socket.once('connect', done)), 'the connection');
            socket.once('disconnect', reason => times.push([performance.now(), reason]));
            return socket;
        }));
        hub.signal('SIGTERM');
        await until(() => times.length === sockets.length, 'all to be closed', 20_000);
        assert.ok(times.every(([, reason]) => reason === 'transport close'));
        const span = times.at(-1)[0] - times[0][0];
        assert.ok(span > 500, `within ${span} ms`);
        assert.deepEqual(await hub.waitExit(), { code: 0, signal: null });
    });

test('sixty clients of all transports move to the other node, each at its own time, and nothing is lost',
    { skip: !(hasSocketio && hasRedis && hasProxy) && 'no Socket.IO, redis-server or haproxy' }, async t => {
        const { exodus } = await import('./lib/exodus.mjs'); // faults/drain.test.mjs has thousands, and measures
        const got = await exodus(t, {
            counts: { websocket: 18, sse: 16, longpoll: 12, socketio: 14 },
            drain: { timeout: '15s', spread: '2s' }, writers: 3, every: 50,
        });
        assert.deepEqual(got.exit, { code: 0, signal: null });
        assert.equal(got.cutOff, false, 'it ended in time');
        assert.deepEqual([...new Set(got.ways)].sort(), ['longpoll', 'socketio', 'sse', 'websocket']);
        assert.equal(got.delays.length + got.ways.filter(way => way === 'socketio').length, got.returned, 'each is told once; Socket.IO has no word for it');
        assert.equal(new Set(got.delays).size, got.delays.length, `two at a time: ${got.delays}`);
        assert.ok(got.delays.every(delay => delay >= 0 && delay < 2000), `${got.delays}`);
    });

test('a reload changes the history of rooms that are open, without dropping a connection', async t => {
    const hub = await startHub(t, { rooms: ROOM() });
    const client = await connect(hub);
    const { cursor } = await client.join('r');
    for (let i = 0; i < 20; i++)
        await client.publish('r', i);
    const read = async () => (await client.ok({ type: 'history', room: 'r', limit: 100 })).messages.map(({ data }) => data);
    assert.equal((await read()).length, 20);
    const use = async rooms => {
        const since = hub.stderr.length;
        hub.configure({ ...hub.config, rooms });
        const answer = await post(hub, '/api/v1/reload');
        assert.deepEqual([answer.status, answer.json], [200, { reloaded: true, changed: 'rooms' }]);
        await hub.logged(/reload the new configuration is in force; changed: rooms/, { since });
    };
    await use(ROOM({ history: { messages: 5, age: '5m' } }));
    assert.deepEqual(await read(), [15, 16, 17, 18, 19]);
    await client.publish('r', 20);
    assert.deepEqual(await read(), [16, 17, 18, 19, 20]);
    await use([{ match: '*', join: 'anyone', publish: 'nobody' }]);
    await client.fails({ type: 'publish', room: 'r', data: 1 }, 'unauthorized');
    assert.deepEqual(await read(), []);
    await use(ROOM());
    await client.publish('r', 'again');
    assert.deepEqual(await read(), ['again']);
    await client.leave('r');
    assert.equal((await client.join('r', { since: cursor })).recovered, false);
});

test('a reload under load loses nothing, and a bad one changes nothing', async t => {
    const hub = await startHub(t, { rooms: ROOM(), log: { level: 'info' } });
    const [alice, bob] = [await connect(hub), await connect(hub)];
    await alice.join('r');
    await bob.join('r');
    let sent = 0, going = true;
    const sending = (async () => {
        while (going)
            await alice.publish('r', sent++);
    })();
    for (let i = 0; i < 10; i++) {
        const bad = i % 2 === 1, since = hub.stderr.length;
        hub.hup({ ...hub.config, limits: { message_size: bad ? 'lots' : `${64 + i}KiB` } });
        await hub.logged(bad ? /error reload nothing was changed/ : /reload the new configuration is in force/, { since });
    }
    going = false;
    await sending;
    await until(() => bob.messages('r').length === sent, () => `${sent} messages, got ${bob.messages('r').length}`);
    assert.deepEqual(bob.messages('r').map(({ data }) => data), Array.from({ length: sent }, (_, i) => i));
});

test('past its limit the server is alive but not ready', async t => {
    const hub = await startHub(t, { limits: { connections: 2 } });
    const [one] = [await connect(hub), await connect(hub)];
    const ready = await fetchHttp(hub.adminUrl('/readyz'));
    assert.deepEqual([ready.status, ready.json.checks.connections], [503, 'at limits.connections']);
    assert.equal((await fetchHttp(hub.adminUrl('/healthz'))).status, 200);
    await refused(hub, 503);
    await one.close();
    await until(async () => (await fetchHttp(hub.adminUrl('/readyz'))).status === 200, 'it to be ready again');
});
