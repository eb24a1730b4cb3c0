// What a stock client of Socket.IO does by itself when servers restart, die or lose an answer: its
// buffer, its retries, its way back. With a key each message comes once.
import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { engineOf } from './lib/engine.mjs';
import { SECRET, tokenFor } from './lib/jwt.mjs';
import { hasRedis, startCluster, startProxy, startRedis } from './lib/redis.mjs';
import { startRelay } from './lib/relay.mjs';
import { startHub } from './lib/server.mjs';
import { WAYS, ask, connect, join, publish, receives, texts } from './lib/sio.mjs';
import { until } from './lib/until.mjs';

const ROOMS = [{ match: 'members*', join: 'anyone', publish: 'members' },
    { match: '*', join: 'anyone', publish: 'anyone', history: { messages: 1000, age: '5m' } }];
const CONFIG = { transports: { websocket: {}, socketio: {} }, rooms: ROOMS };
const AUTH = { 'auth-jwt': { secret: SECRET } };
const numbers = count => Array.from({ length: count }, (_, i) => i);

/** As applications do it: whoever is connected, for the first time or again, joins. */
async function joinsAlways(socket, room) {
    socket.joins = 0;
    const enter = () => socket.emit('join-room', room, ({ ok }) => { socket.joins += ok; });
    socket.on('connect', enter);
    enter();
    await until(() => socket.joins === 1, 'the first join');
    return socket;
}

/** Until the connection uses the transport that it will stay with. */
const settled = ({ io }) => until(() => io.engine.transport.name === io.opts.transports.at(-1),
    () => `the upgrade; ${io.engine.transport.name}`);

for (const [way, transports] of Object.entries(WAYS)) {
    test(`${way}: what is emitted while the server restarts comes once, and rooms are joined again`, async t => {
        const hub = await startHub(t, CONFIG), relay = await startRelay(t, hub);
        const listener = await joinsAlways(await connect(t, hub, { transports }), 'r');
        const writer = await joinsAlways(await connect(t, relay, { transports }), 'r');
        relay.refuse(true);
        await until(() => !writer.connected, 'the writer to be cut off');
        const acks = [];
        const write = text => writer.emit('message', { roomId: 'r', text }, answer => acks.push(answer.ok));
        numbers(50).forEach(write);
        await hub.stop();
        numbers(50).map(i => i + 50).forEach(write);
        await hub.start();
        await until(() => listener.joins === 2, () => `the listener to be in again; ${listener.states}`);
        assert.deepEqual([acks.length, texts(listener).length], [0, 0]);
        relay.refuse(false);
        await until(() => acks.length === 100, () => `the acks; ${writer.states}`);
        assert.ok(acks.every(Boolean));
        await until(() => writer.joins === 2, 'the writer to be in again');
        await publish(listener, 'r', { text: 'end' });
        await until(() => [listener, writer].every(socket => texts(socket).includes('end')), 'the end');
        assert.deepEqual(texts(listener), [...numbers(100), 'end']);
    });

    test(`${way}: the buffer goes out before the application can join, so a room of members refuses it`, async t => {
        const hub = await startHub(t, CONFIG);
        const socket = await joinsAlways(await connect(t, hub, { transports }), 'members');
        await hub.stop();
        await until(() => !socket.connected, 'the end');
        const answer = ask(socket, 'message', { roomId: 'members', text: 'early' });
        await hub.start();
        assert.equal((await answer)[0].ok, false);
        await until(() => socket.joins === 2, 'the room to be joined again');
        await publish(socket, 'members', { text: 'in time' });
        await receives(socket, 'message', 1);
        assert.deepEqual(texts(socket), ['in time']);
    });

    test(`${way}: the first ack is lost, and the client's retry comes once with a key, twice without`, async t => {
        const hub = await startHub(t, { ...CONFIG, plugins: { load: [AUTH] } });
        const proxy = await startProxy(t, hub.port), lost = [];
        let isLosing = false;
        proxy.filter = chunk => { // an ack becomes a noop of the same length
            const text = chunk.toString('latin1');
            return !isLosing ? chunk : Buffer.from(text.replace(/4(3\d+\[\{"ok":true,"ts")/, (_, rest) => {
                isLosing = false;
                lost.push(rest);
                return `6${rest}`;
            }), 'latin1');
        };
        const listener = await connect(t, hub, { token: tokenFor('listener') });
        await join(listener, 'r');
        const writer = await connect(t, { base: `http://127.0.0.1:${proxy.port}` },
            { transports, token: tokenFor('writer'), retries: 5, ackTimeout: 500 });
        await settled(writer);
        const acks = [];
        for (const [i, key] of ['k', undefined].entries()) {
            isLosing = true;
            writer.emit('message', { roomId: 'r', text: key ?? 'none', key }, (error, answer) => acks.push([error, answer?.ok]));
            await until(() => acks.length === i + 1, 'the ack', 30_000);
        }
        assert.equal(lost.length, 2);
        assert.deepEqual(acks, [[null, true], [null, true]]);
        await publish(listener, 'r', { text: 'end' });
        await until(() => texts(listener).includes('end'), 'the end');
        const got = texts(listener);
        assert.equal(got.filter(text => text === 'k').length, 1);
        assert.ok(got.filter(text => text === 'none').length >= 2, got.join());
        assert.deepEqual(writer.states, ['connect']);
    });
}

test('clients of all ways come back by themselves from a drain, whose transport closes', async t => {
    const hub = await startHub(t, { ...CONFIG, transports: { socketio: { namespaces: ['/', '/x'] } } });
    const sockets = [];
    for (const transports of Object.values(WAYS))
        for (const namespace of ['/', '/x'])
            sockets.push(await joinsAlways(await connect(t, hub, { transports, namespace }), 'r'));
    for (let round = 2; round <= 3; round++) {
        await Promise.all(sockets.map(settled));
        await hub.stop();
        await until(() => sockets.every(socket => !socket.connected), 'all to be closed');
        await hub.start();
        await until(() => sockets.every(socket => socket.joins === round), () => `all to be in again; ${sockets.map(s => s.states.join())}`);
    }
    for (const { states, io } of sockets) { // who is between two polls finds nobody there, as do attempts to come back
        const seen = states.filter(state => !state.startsWith('error:'));
        const polls = io.opts.transports.length === 1 && io.opts.transports[0] === 'polling';
        assert.deepEqual(polls ? seen.map(state => state.replace('transport error', 'transport close')) : seen,
            ['connect', 'transport close', 'connect', 'transport close', 'connect']);
    }
});

test('a drain between the probe and the upgrade ends the client where it is: on the WebSocket', async t => {
    const hub = await startHub(t, { ...CONFIG, drain: { timeout: '60s' } }), engine = engineOf(hub, '/socket.io/');
    const { sid } = await engine.open(), probe = engine.socket({ sid });
    await probe.opened;
    probe.send('2probe');
    assert.equal(await probe.next(), '3probe');
    await engine.post(sid, '40');
    hub.signal('SIGTERM');
    await hub.logged(/closing 1 sessions/);
    probe.send('5');
    assert.match(await probe.next(), /^40\{/);
    assert.equal((await probe.closed).code, 1005);
    assert.deepEqual(await hub.waitExit(), { code: 0, signal: null });
});

describe('killed between the store and the ack', { skip: !hasRedis && 'no redis-server' }, () => {
    for (const [way, transports] of Object.entries(WAYS))
        for (const goesOn of ['comes back', 'stays away'])
            test(`${way}: the client tries again, once with a key; the node ${goesOn}`, async t => {
                const redis = await startRedis(t);
                const [node, other] = await startCluster(t, redis, 2, { transports: CONFIG.transports, rooms: ROOMS, plugins: [AUTH] });
                const target = { port: node.port }, relay = await startRelay(t, target);
                const listener = await connect(t, other, { token: tokenFor('listener') });
                await join(listener, 'r');
                const writer = await connect(t, relay, { transports, token: tokenFor('writer'), retries: 5, ackTimeout: 5000 });
                await settled(writer);
                const acks = [];
                for (const [i, key] of ['k', undefined].entries()) {
                    relay.stallAll('out');
                    writer.emit('message', { roomId: 'r', text: key ?? 'none', key }, (error, answer) => acks.push([error, answer?.ok]));
                    await until(() => texts(listener).includes(key ?? 'none'), 'the store');
                    assert.equal(acks.length, i);
                    await node.kill();
                    if (goesOn === 'stays away')
                        target.port = other.port;
                    else
                        await node.start();
                    relay.calm();
                    await until(() => acks.length === i + 1, () => `the ack; ${writer.states}`, 30_000);
                    if (goesOn === 'stays away' && key) { // for the message without a key there is a node again
                        await node.start();
                        target.port = node.port;
                        const ups = () => writer.states.filter(state => state === 'connect' || state === 'recovered').length;
                        const before = ups();
                        relay.cut();
                        await until(() => ups() > before, 'the way back');
                    }
                    await settled(writer);
                }
                assert.deepEqual(acks, [[null, true], [null, true]]);
                await publish(listener, 'r', { text: 'end' });
                await until(() => texts(listener).includes('end'), 'the end');
                const got = texts(listener);
                assert.equal(got.filter(text => text === 'k').length, 1, got.join());
                assert.equal(got.filter(text => text === 'none').length, 2, got.join());
            });
});
