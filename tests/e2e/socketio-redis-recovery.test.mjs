// A client of Socket.IO whose node is drained, or that comes to another one, finds all as it was, as long
// as both share a Redis; or it is told, by a fresh session; never a silent hole.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { connect as connectNative } from './lib/client.mjs';
import { engineOf, enter } from './lib/engine.mjs';
import { SECRET, mint, tokenFor } from './lib/jwt.mjs';
import { hasRedis, startRedis } from './lib/redis.mjs';
import { startRelay } from './lib/relay.mjs';
import { startHub } from './lib/server.mjs';
import { WAYS, connect, inState, join, receives, texts } from './lib/sio.mjs';
import { recoveries } from './lib/sio-cut.mjs';
import { until } from './lib/until.mjs';

const HISTORY = { messages: 1000, age: '5m' };
const CONFIG = {
    transports: { websocket: {}, socketio: { recovery: '1m', namespaces: ['/', '/x'] } },
    drain: { timeout: '2s' },
    rooms: [{ match: 'claim*', join: 'claim', publish: 'anyone', history: HISTORY },
        { match: 'short*', join: 'anyone', publish: 'anyone', history: { messages: 3, age: '5m' } },
        { match: '*', join: 'anyone', publish: 'anyone', history: HISTORY }],
};
const STOCK = { reconnectionDelay: 500, reconnectionDelayMax: 500, randomizationFactor: 0 }; // the soonest by default

/** Two nodes over one Redis, and a door that leads to the first one until the test says otherwise. */
async function startPair(t, { workers = [2, 2], redis: args = [] } = {}) {
    const hubs = [];
    t.after(() => Promise.all(hubs.filter(hub => !hub.expectedExit).map(hub => hub.stop()))); // before its Redis
    const redis = await startRedis(t, ...args);
    for (const [i, count] of workers.entries())
        hubs.push(await startHub(t, { ...CONFIG, workers: count, plugins: { load: [
            { 'auth-jwt': { secret: SECRET, anonymous: true } },
            { redis: { url: redis.url, prefix: 'test', timeout: '1s', check: '500ms', backoff: { min: '20ms', max: '200ms' } } },
        ] } }, { node: `n${i + 1}` }));
    const door = { port: hubs[0].port };
    return { redis, hubs, relay: await startRelay(t, door), lead: hub => { door.port = hub.port; } };
}

const pidOf = socket => socket._pid;

const noteIs = (redis, pid, there) => until(async () =>
    await redis.command('EXISTS', `test:m:socketio:${pid}`) === (there ? ':1' : ':0'),
() => `the note of ${pid} to be ${there ? 'there' : 'gone'}`);

/** Breaks the connection, and waits until the node that had it has noticed. */
async function cut({ redis, relay }, socket) {
    const pid = pidOf(socket);
    socket.io.reconnection(false);
    relay.cut();
    await until(() => !socket.connected, 'the break');
    await noteIs(redis, pid, true);
}

/** Gives 'recovered' or 'connect'. */
async function comeBack(socket) {
    const before = socket.states.length;
    const news = () => socket.states.slice(before).filter(state => state === 'recovered' || state === 'connect');
    socket.io.reconnection(true);
    socket.connect();
    await until(() => news().length > 0, () => `the way back; ${socket.states}`);
    return news()[0];
}

const upTo = n => Array.from({ length: n }, (_, i) => i + 1);

describe('another node', { skip: !hasRedis && 'no redis-server' }, () => {
    const counts = [[1, 1], [4, 4], [1, 4]];
    for (const [i, [way, transports]] of Object.entries(WAYS).entries())
        test(`${way}: a drain while messages flow (${counts[i].join(' and ')} workers)`, async t => {
            const { hubs: [a, b], relay, lead } = await startPair(t, { workers: counts[i] });
            const native = await connectNative(b), sockets = [];
            for (let k = 0; k < 6; k++)
                sockets.push(await connect(t, relay, { transports, ...STOCK, token: tokenFor(`user-${k}`) }));
            for (const socket of sockets)
                await join(socket, 'r');
            const ids = sockets.map(({ id }) => id);
            let n = 0;
            const send = () => native.publish('r', { text: ++n });
            for (let k = 0; k < 20; k++)
                await send();
            lead(b);
            const stopped = a.stop();
            await until(async () => {
                await send();
                return sockets.every(socket => socket.states.length >= 3);
            }, () => `all to be back; ${sockets.map(socket => socket.states)}`);
            await stopped;
            await send();
            for (const socket of sockets)
                await receives(socket, 'message', n);
            sockets.forEach((socket, k) => {
                assert.ok(socket.recovered, `was ${socket.states}`);
                assert.equal(socket.id, ids[k]);
                assert.equal(socket.states.filter(state => state === 'connect').length, 1);
                assert.deepEqual(texts(socket), upTo(n));
            });
        });

    test('to and fro, with rooms joined and left on the way (4 and 1 workers)', async t => {
        const pair = await startPair(t, { workers: [4, 1] }), [a, b] = pair.hubs;
        const native = await connectNative(a);
        const socket = await connect(t, pair.relay, { ...STOCK, transports: ['websocket'] });
        await join(socket, 'r');
        let n = 0;
        for (const [round, to] of [b, a, b, a].entries()) {
            await cut(pair, socket);
            await native.publish('r', { text: ++n });
            if (round > 0)
                await native.publish('later', { text: ++n });
            pair.lead(to);
            assert.equal(await comeBack(socket), 'recovered');
            await receives(socket, 'message', n);
            if (round === 0)
                await join(socket, 'later');
        }
        await native.publish('r', { text: ++n });
        await receives(socket, 'message', n);
        assert.deepEqual(texts(socket).toSorted((x, y) => x - y), upTo(n));
    });

    test('who is back on the same node and joins more is no more what a note said: killed, it is a fresh session', async t => {
        const pair = await startPair(t), [a, b] = pair.hubs;
        const socket = await connect(t, pair.relay, { ...STOCK, transports: ['websocket'] });
        await join(socket, 'r');
        await cut(pair, socket);
        assert.equal(await comeBack(socket), 'recovered');
        await noteIs(pair.redis, pidOf(socket), false);
        await join(socket, 'more');
        pair.lead(b);
        await a.kill();
        await until(() => socket.states.length >= 5, () => `the way back; ${socket.states}`);
        assert.equal(socket.states.at(-1), 'connect');
    });

    test('of two that come with one pid at once, to two nodes, one gets it', async t => {
        const { redis, hubs } = await startPair(t);
        for (let round = 0; round < 10; round++) {
            const old = await enter(hubs[0]);
            old.connection.close();
            await noteIs(redis, old.pid, true);
            const both = await Promise.all(hubs.map(hub => enter(hub, { pid: old.pid })));
            assert.equal(both.filter(({ pid }) => pid === old.pid).length, 1);
            assert.equal(both.filter(({ sid }) => sid === old.sid).length, 1);
            both.forEach(({ connection }) => connection.close());
        }
    });

    test('of many that come with one pid to one node, the last one has it in the end', async t => {
        const { redis, hubs: [a, b] } = await startPair(t);
        const old = await enter(a);
        old.connection.close();
        await noteIs(redis, old.pid, true);
        const dropped = [];
        for (let i = 0; i < 6; i++) {
            const connection = engineOf(b, '/socket.io/').socket();
            await connection.next();
            connection.send(`40${JSON.stringify({ pid: old.pid })}`);
            dropped.push(connection);
        }
        const last = await enter(b, { pid: old.pid });
        assert.deepEqual([last.pid, last.sid], [old.pid, old.sid]);
        await Promise.all(dropped.map(({ closed }) => closed));
        last.connection.close();
    });

    test('Redis away: the client tries again, and is recovered when it is back', async t => {
        const pair = await startPair(t, { redis: ['--appendonly', 'yes', '--appendfsync', 'always'] }), [, b] = pair.hubs;
        const native = await connectNative(b);
        const socket = await connect(t, pair.relay, { ...STOCK, transports: ['websocket'], reconnectionDelay: 100 });
        await join(socket, 'r');
        await cut(pair, socket);
        await native.publish('r', { text: 1 });
        await pair.redis.kill();
        pair.lead(b);
        socket.io.reconnection(true);
        let refused = 0;
        socket.io.on('close', () => refused++);
        socket.connect();
        await until(() => refused > 0, () => `the first refusal; ${socket.states}`);
        await pair.redis.start();
        await until(() => socket.connected, () => `the way back; ${socket.states}`);
        assert.equal(socket.states.at(-1), 'recovered');
        assert.equal(socket.states.lastIndexOf('connect'), 0, `was ${socket.states}`);
        await receives(socket, 'message', 1);
        assert.deepEqual(texts(socket), [1]);
    });

    test('history too short: a fresh session', async t => {
        const pair = await startPair(t), [, b] = pair.hubs;
        const native = await connectNative(b);
        const socket = await connect(t, pair.relay, { ...STOCK, transports: ['websocket'] });
        await join(socket, 'short');
        await cut(pair, socket);
        for (let i = 0; i < 300; i++)
            await native.publish('short', { text: i });
        pair.lead(b);
        assert.equal(await comeBack(socket), 'connect');
        assert.deepEqual(texts(socket), []);
    });

    test('credentials and rights are looked at anew', async t => {
        const pair = await startPair(t), [, b] = pair.hubs;
        const may = mint({ sub: 'alice', hubbub: { join: ['claim*'] } });
        const alice = await connect(t, pair.relay, { ...STOCK, transports: ['websocket'], token: may });
        await join(alice, 'claim');
        const pid = pidOf(alice);
        await cut(pair, alice);
        pair.lead(b);
        const mallory = await enter(b, { token: tokenFor('mallory'), pid });
        assert.notEqual(mallory.pid, pid);
        mallory.connection.close();
        await noteIs(pair.redis, pid, true); // it is still there for alice
        assert.equal(await comeBack(alice), 'recovered');
        await cut(pair, alice);
        alice.auth = { token: tokenFor('alice') }; // without the right to the room
        assert.equal(await comeBack(alice), 'connect');
        await cut(pair, alice);
        alice.auth = { token: 'wrong' };
        alice.io.reconnection(true);
        alice.connect();
        await inState(alice, 'error: Invalid token');
        assert.equal(recoveries(alice), 1);
    });

    test('who left leaves no note, and one is kept no longer than `recovery`', async t => {
        const pair = await startPair(t), [a] = pair.hubs;
        const socket = await connect(t, pair.relay, { ...STOCK, transports: ['websocket'] });
        await join(socket, 'r');
        const pid = pidOf(socket);
        socket.disconnect();
        const other = await enter(a);
        other.connection.close();
        await noteIs(pair.redis, other.pid, true); // it came later
        await noteIs(pair.redis, pid, false);
        const left = Number((await pair.redis.command('PTTL', `test:m:socketio:${other.pid}`)).slice(1));
        assert.ok(left > 0 && left <= 60_000, `${left} ms`);
    });

    test('what is no note does no harm: a fresh session', async t => {
        const { redis, hubs: [, b] } = await startPair(t), pid = 'A'.repeat(20), key = `test:m:socketio:${pid}`;
        const good = { v: 1, space: '/', sid: 'x', rooms: [] };
        const notes = ['', 'x', '{}', '[]', 'null', '{'.repeat(60_000), 'x'.repeat(100_000), '\xff',
            ...[{ v: 2 }, { space: 'x' }, { space: '/x' }, { space: `/${'y'.repeat(64)}` }, { sid: '' }, { sid: 'a b' },
                { sid: 'z'.repeat(24) }, { user: 'mallory' }, { user: 7 }, { stale: '18446744073709551616' }, { own: 'c' }, { user: 'u', own: [] },
                { rooms: {} }, { rooms: [['r']] }, { rooms: [['r', 'garbage', true]] }, { rooms: [['r', '', false]] },
                { rooms: [['r', 'c', 1]] }, { rooms: [['r', 'c', true], ['r', 'c', true]] },
                { rooms: [['', 'c', true]] }, { rooms: Array(1025).fill(0).map((_, i) => [`r${i}`, '', true]) },
            ].map(wrong => JSON.stringify({ ...good, ...wrong }))];
        for (const note of notes) {
            await redis.command('SET', key, note);
            const { pid: got, connection } = await enter(b, { pid });
            assert.notEqual(got, pid, note.slice(0, 100));
            connection.close();
        }
        await redis.command('DEL', key);
        await redis.command('SADD', key, 'a set');
        const { pid: got, connection } = await enter(b, { pid });
        assert.notEqual(got, pid);
        connection.close();
        await redis.command('DEL', key);
        await redis.command('SET', key, JSON.stringify(good)); // the others were refused for what is wrong in them
        const taken = await enter(b, { pid });
        assert.deepEqual([taken.pid, taken.sid], [pid, 'x']);
        taken.connection.close();
    });
});
