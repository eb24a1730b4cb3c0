// What an application makes of Socket.IO: names of events and fields of its own, calls that a backend
// answers, events with names that clients keep for themselves, parts (namespaces) by pattern.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join as path } from 'node:path';
import test from 'node:test';
import { webhook } from '../../examples/webhook-backend/webhook.mjs';
import { connect as connectNative } from './lib/client.mjs';
import { SECRET, tokenFor } from './lib/jwt.mjs';
import { buildDir, runHub, startHub } from './lib/server.mjs';
import { WAYS, ask, connect, connected, inState, join, ok, open, publish, receives, texts, told } from './lib/sio.mjs';
import { until } from './lib/until.mjs';

const AUTH = { 'auth-jwt': { secret: SECRET } };
const RESERVED = ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'];
const EVENTS = { join: 'enter', leave: 'exit', publish: ['say', 'shout'], joined: 'came', left: 'went' };
const FIELDS = { room: 'channel', user: 'from', ts: 'at', data: 'body', key: 'nonce', token: 'jwt' };

/** The messages of a name, without their times. */
const untimed = (socket, name, ts) => told(socket, name).map(({ [ts]: at, ...rest }) => {
    assert.ok(Number.isInteger(at) && at > 1e12);
    return rest;
});

test('events and fields have the names that the configuration gives them, changed by a reload', async t => {
    const config = socketio => ({ transports: { websocket: {}, socketio: { recovery: 0, ...socketio } }, plugins: { load: [AUTH] } });
    const hub = await startHub(t, config({ events: EVENTS, fields: FIELDS }));
    await inState(open(t, hub, { auth: { token: tokenFor('alice') } }), 'error: Authentication required');
    const [alice, bob] = [await connect(t, hub, { auth: { jwt: tokenFor('alice') } }), await connect(t, hub, { auth: { jwt: tokenFor('bob') } })];
    await ok(alice, 'enter', 'r');
    await ok(bob, 'enter', { channel: 'r' });
    const said = { channel: 'r', text: 'hi', from: 'root', at: 1, nonce: 'n1', userId: 'mallory', roomId: 'x', ts: 2 };
    const first = await ok(bob, 'say', said);
    assert.deepEqual(await ok(bob, 'say', said), first);
    await ok(bob, 'shout', { channel: 'r', text: 'HI' });
    const native = await connectNative(hub, { token: tokenFor('carol') });
    await native.join('r');
    await native.publish('r', ['no', 'object']);
    await native.publish('r', 'said', { event: 'say' });
    await ok(bob, 'exit', 'r');
    await receives(alice, 'went', 1);
    assert.deepEqual(told(alice, 'came').map(({ from, channel }) => `${from} ${channel}`), ['bob r', 'carol r']);
    assert.deepEqual(told(alice, 'went'), [{ from: 'bob', channel: 'r' }]);
    assert.deepEqual(untimed(alice, 'say', 'at'), [
        { from: 'bob', channel: 'r', text: 'hi', nonce: 'n1', userId: 'mallory', roomId: 'x', ts: 2 },
        { from: 'carol', channel: 'r', body: 'said' }]);
    assert.deepEqual(untimed(alice, 'shout', 'at'), [{ from: 'bob', channel: 'r', text: 'HI' }]);
    assert.deepEqual(untimed(alice, 'message', 'at'), [{ from: 'carol', channel: 'r', body: ['no', 'object'] }]);
    for (const name of ['join-room', 'leave-room', 'message']) // are the application's now
        assert.equal((await ask(alice, name, { roomId: 'r', channel: 'r' }))[0].error.code, 'not_found');

    hub.hup(config({ events: { publish: [], leave: '', joined: '', left: '' }, fields: { key: '' } }));
    for (const socket of [alice, bob]) // may be on workers of their own
        await until(async () => !(await ask(socket, 'enter', 'r'))[0].ok, 'the names as they are usually');
    await join(bob, 'r');
    for (const name of ['enter', 'say', 'message', 'leave-room', ''])
        assert.equal((await ask(bob, name, { roomId: 'r', channel: 'r' }))[0].ok, false, name);
    const come = told(alice, 'came').length, gone = told(alice, 'went').length;
    const { id } = bob;
    bob.disconnect();
    await until(async () => (await hub.admin(`/api/v1/sessions/${id}`)).status === 404, 'the end of bob');
    await join(alice, 'r'); // what was told before has come
    hub.hup(config({ fields: { key: '' } }));
    const dave = await connect(t, hub, { token: tokenFor('dave') });
    for (const socket of [alice, dave]) {
        await join(socket, 'r');
        await until(async () => (await ask(socket, 'message', { roomId: 'r', text: 'probe' }))[0].ok, 'events that are published');
    }
    for (let i = 0; i < 2; i++)
        await publish(dave, 'r', { text: 'no key', key: 'k' });
    await until(() => texts(alice).filter(text => text === 'no key').length === 2, 'both');
    assert.deepEqual([told(alice, 'came').length, told(alice, 'went').length], [come, gone]);
    assert.ok(!told(alice, 'user-joined').concat(told(alice, 'user-left')).some(({ userId }) => userId === 'bob'));
});

test('names that clients keep for themselves are refused in the configuration', async t => {
    const hub = await startHub(t, { transports: { socketio: {} } });
    const file = path(hub.directory, 'wrong.yaml');
    for (const events of [{ joined: 'connect' }, { left: 'disconnect' }, { join: 'newListener' }, { publish: ['message', 'removeListener'] }]) {
        writeFileSync(file, JSON.stringify(hub.complete({ transports: { socketio: { events } } })));
        const { code, stderr } = await runHub(['check', '-c', file]);
        assert.notEqual(code, 0, JSON.stringify(events));
        assert.match(stderr, /no event can be named \w+: clients keep that name/);
    }
});

const REPLIES = {
    double: data => ({ data: data * 2 }), swap: data => ({ data: data.reverse() }), none: () => ({ data: null }),
    bad: () => ({ error: { code: 'conflict', message: 'Twice', retry_after: 70 } }),
};

for (const [way, transports] of Object.entries(WAYS))
    test(`${way}: a backend's answer to a call is the ack, and what it refuses is told`, async t => {
        const asked = [], listener = webhook({ secret: SECRET, log: () => {}, handlers: { call: question => {
            asked.push({ event: question.event, user: question.user, data: structuredClone(question.data) });
            return REPLIES[question.event]?.(question.data);
        } } });
        const server = createServer(listener).listen(0, '127.0.0.1');
        await once(server, 'listening');
        t.after(() => { server.closeAllConnections(); server.close(); });
        const hub = await startHub(t, { transports: { socketio: { namespaces: ['/', '/x'] } }, plugins: { load: [AUTH,
            { webhook: { url: `http://127.0.0.1:${server.address().port}/`, secret: SECRET, hooks: ['call'] } }] } });
        const alice = await connect(t, hub, { token: tokenFor('alice'), transports });
        const x = await connect(t, hub, { token: tokenFor('bob'), transports, namespace: '/x' });
        assert.deepEqual(await ask(alice, 'double', 21), [42]);
        assert.deepEqual(await ask(x, 'double', 4), [8]);
        assert.deepEqual(await ask(alice, 'none'), [null]);
        assert.deepEqual(await ask(alice, 'swap', 'a', { bytes: Buffer.from([1, 2]) }), [{ bytes: Buffer.from([1, 2]) }, 'a']);
        assert.deepEqual(await ask(alice, 'bad', 1), [{ ok: false, error: { code: 'conflict', message: 'Twice', retry_after: 70 } }]);
        assert.equal((await ask(alice, 'nobody', 1))[0].error.code, 'not_found');
        const answers = [];
        for (let i = 0; i < 100; i++)
            alice.emit('double', i, answer => answers.push(answer));
        await until(() => answers.length === 100, 'the acks');
        assert.deepEqual(answers.sort((a, b) => a - b), Array.from({ length: 100 }, (_, i) => i * 2));
        assert.deepEqual(asked.slice(0, 4), [
            { event: 'double', user: 'alice', data: 21 }, { event: 'double', user: 'bob', data: 4 },
            { event: 'none', user: 'alice', data: [] }, { event: 'swap', user: 'alice', data: ['a', { bytes: { $binary: 'AQI=' } }] }]);
    });

test('reserved names: from a client they close its own connection; from the application they come as message', async t => {
    const hub = await startHub(t, { transports: { websocket: {}, socketio: { recovery: '1m' } }, plugins: { load: [AUTH] } });
    const as = user => connect(t, hub, { token: tokenFor(user), transports: ['websocket'] });
    const alice = await as('alice');
    await join(alice, 'r');
    const native = await connectNative(hub, { token: tokenFor('native') });
    await native.join('r');
    for (const event of [...RESERVED, 'user-joined', 'user-left'])
        await native.fails({ type: 'publish', room: 'r', event, data: {} }, 'bad_request');
    for (const name of RESERVED) {
        const mallory = await as('mallory');
        mallory.io.engine.write(`2["${name}",{}]`);
        await inState(mallory, 'transport close');
    }
    alice.io.engine.write('2["message",{"roomId":"r","text":"spoof","user\\u0049d":"root","\\u0074s":1,"userId":"root"}]');
    for (const event of RESERVED)
        assert.equal((await hub.publish({ room: 'r', event, data: { text: event } })).status, 200);
    assert.equal((await hub.publish({ room: 'r', event: 'disconnect', data: { text: 'bytes', b: { $binary: 'AQI=' } } })).status, 200);
    await receives(alice, 'message', 8);
    assert.deepEqual(untimed(alice, 'message', 'ts'), [{ userId: 'alice', roomId: 'r', text: 'spoof' },
        ...RESERVED.map(text => ({ userId: null, roomId: 'r', text })), { userId: null, roomId: 'r', text: 'bytes', b: Buffer.from([1, 2]) }]);
    assert.deepEqual(alice.states, ['connect']);
    assert.deepEqual(told(alice, 'user-left').length, 0);
});

test('namespaces by one pattern are parts of their own: rooms, events for all, the end of one', async t => {
    const hub = await startHub(t, { transports: { websocket: {}, socketio: { namespaces: ['/', '/game-*', '/*-lobby'] } },
        plugins: { directories: [path(buildDir, 'tests/abi'), path(buildDir, 'plugins')], load: [{ asker: {} }] } });
    const main = await connect(t, hub), parts = {};
    for (const namespace of ['/game-1', '/game-2', '/eu-lobby']) {
        parts[namespace] = open(t, hub, { manager: main.io, namespace });
        await connected(parts[namespace]);
        await join(parts[namespace], 'hall');
    }
    for (const namespace of ['/game', '/lobby', '/Game-1'])
        await inState(open(t, hub, { manager: main.io, namespace }), 'error: Invalid namespace');
    const { '/game-1': one, '/game-2': two, '/eu-lobby': lobby } = parts;
    assert.equal((await hub.publish({ room: 'game-1:hall', event: 'start', data: { n: 1 } })).status, 200);
    assert.equal((await hub.publish({ room: 'game-2:', event: 'start', data: { n: 2 } })).status, 200); // all of it
    await ask(lobby, 'tell-all', 'news of the lobby');
    for (const [socket, event] of [[one, 'start'], [two, 'start'], [lobby, 'news']])
        await receives(socket, event, 1);
    one.on('question', (text, answer) => answer(text.toUpperCase(), 'and more'));
    assert.deepEqual(await ask(one, 'ask-me', 'text'), ['TEXT', 'and more']);
    two.emit('put-me-out');
    await inState(two, 'io server disconnect');
    await publish(one, 'hall', { text: 'still here' });
    await receives(one, 'message', 1);
    await ask(main, 'tell-all', 'for the main one');
    await receives(main, 'news', 1);
    const names = socket => socket.events.map(([name]) => name);
    assert.deepEqual([one, two, lobby, main].map(names), [['start', 'question', 'message'], ['start'], ['news'], ['news']]);
    assert.deepEqual([one.events[0][1].n, two.events[0][1].n, lobby.events[0][1]], [1, 2, 'news of the lobby']);
    assert.deepEqual(main.states, ['connect']);
});
