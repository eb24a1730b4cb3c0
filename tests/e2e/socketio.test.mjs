// minutes: 3
// Applications of socket.io-client 4.8.4 find what they expect: each way of transport, namespaces,
// acks, bytes, credentials, rooms shared with hubbub's own protocol, draining.
import assert from 'node:assert/strict';
import { join as path } from 'node:path';
import test, { describe } from 'node:test';
import { io } from 'socket.io-client';
import { connect as connectNative } from './lib/client.mjs';
import { connectPoll } from './lib/poll.mjs';
import { connectSse } from './lib/sse.mjs';
import { SECRET, tokenFor } from './lib/jwt.mjs';
import { buildDir, hubForFile, startHub } from './lib/server.mjs';
import { WAYS, ask, connect, connected, inState, join, ok, open, publish, receives, texts, told } from './lib/sio.mjs';
import { until } from './lib/until.mjs';

const transports = (options = {}) => ({ websocket: {}, sse: {}, longpoll: {}, socketio: options });
const withAuth = (options = {}, more = {}) => ({ transports: transports(options),
    plugins: { load: [{ 'auth-jwt': { secret: SECRET } }] }, ...more });
const withAsker = (options = {}) => ({ transports: transports(options),
    plugins: { directories: [path(buildDir, 'tests/abi'), path(buildDir, 'plugins')], load: [{ asker: {} }] } });

describe('users', () => {
    const hub = hubForFile(withAuth({ recovery: 0 }));
    const as = (t, user, options) => connect(t, hub, { token: tokenFor(user), ...options });
    let rooms = 0;

    for (const [way, list] of Object.entries(WAYS)) {
        test(`${way}: rooms, messages, who comes and goes`, async t => {
            const room = `room-${++rooms}`;
            const [alice, bob] = [await as(t, 'alice', { transports: list }), await as(t, 'bob', { transports: list })];
            const witness = await as(t, 'carol');
            await join(witness, room);
            await join(alice, room);
            await receives(witness, 'user-joined', 1); // the news is told, else bob may be in time for it
            const joined = await join(bob, room);
            assert.equal(joined.members, 3);
            await receives(alice, 'user-joined', 1);
            assert.deepEqual(told(alice, 'user-joined'), [{ userId: 'bob', roomId: room }]);
            const sent = await publish(bob, room, { text: 'hi', userId: 'root', ts: 1, n: { deep: [1.5, null] } });
            assert.deepEqual(Object.keys(sent).sort(), ['cursor', 'ok', 'ts']);
            for (const socket of [alice, bob]) { // the sender included
                await receives(socket, 'message', 1);
                assert.deepEqual(told(socket, 'message')[0],
                    { userId: 'bob', ts: sent.ts, roomId: room, text: 'hi', n: { deep: [1.5, null] } });
            }
            await ok(bob, 'leave-room', room);
            await receives(alice, 'user-left', 1);
            await join(bob, room);
            bob.disconnect();
            await receives(alice, 'user-left', 2);
            assert.deepEqual(told(alice, 'user-left')[1], { userId: 'bob', roomId: room });
            assert.deepEqual(told(bob, 'user-joined'), []);
        });

        test(`${way}: order, and bytes in it, both ways`, async t => {
            const room = `room-${++rooms}`;
            const [alice, bob] = [await as(t, 'alice', { transports: list }), await as(t, 'bob', { transports: list })];
            await join(alice, room);
            await join(bob, room);
            const sent = [];
            for (let i = 0; i < 300; i++) {
                const bytes = i % 3 ? undefined : { a: Buffer.from([i & 255, 1]), list: [Buffer.alloc(i), { x: Buffer.from('é') }] };
                sent.push({ text: i, ...bytes });
                bob.emit('message', { roomId: room, ...sent[i] });
            }
            await receives(alice, 'message', 300);
            const plain = value => JSON.parse(JSON.stringify(value));
            assert.deepEqual(told(alice, 'message').map(({ userId, ts, roomId, ...rest }) => plain(rest)), plain(sent));
            assert.ok(Buffer.isBuffer(told(alice, 'message')[3].a));
        });
    }

    test('no token and a wrong one are told by connect_error', async t => {
        const nobody = open(t, hub);
        await inState(nobody, 'error: Authentication required');
        const mallory = open(t, hub, { token: 'wrong' });
        await inState(mallory, 'error: Invalid token');
        mallory.auth = { token: tokenFor('mallory') }; // the application has fetched a new one
        mallory.connect();
        await connected(mallory);
    });

    test('a token that is expired, or expires', async t => {
        const late = open(t, hub, { token: tokenFor('late', {}, { ttl: -60 }) });
        await inState(late, 'error: Invalid token');
        const short = await as(t, 'short', { token: tokenFor('short', {}, { ttl: 2 }) });
        await inState(short, 'io server disconnect');
        short.auth = { token: tokenFor('short') };
        short.connect();
        await until(() => short.connected, 'the way back');
    });

    test('data that is no object, and acks of what fails', async t => {
        const alice = await as(t, 'alice');
        const room = `room-${++rooms}`;
        const [refused] = await ask(alice, 'message', { roomId: room, text: 'not a member' });
        assert.equal(refused.ok, false);
        assert.equal(refused.error.code, 'forbidden');
        for (const wrong of [['message', 'text'], ['message', { text: 'no room' }], ['message', { roomId: 7 }],
            ['join-room'], ['join-room', 7], ['join-room', ''], ['join-room', '@bob'], ['user-joined', {}]]) {
            const [answer] = await ask(alice, ...wrong);
            assert.equal(answer.ok, false, JSON.stringify(wrong));
        }
        const [unknown] = await ask(alice, 'no-such-event', 1);
        assert.equal(unknown.error.code, 'not_found');
        await join(alice, room);
        const native = await connectNative(hub, { token: tokenFor('bob') });
        await native.join(room);
        await native.publish(room, [1, 'two']);
        await receives(alice, 'message', 1);
        const { ts, ...rest } = told(alice, 'message')[0];
        assert.deepEqual(rest, { userId: 'bob', roomId: room, data: [1, 'two'] });
    });

    test('text that was cut in the middle of a character arrives, without that half', async t => {
        const alice = await as(t, 'alice');
        const room = `room-${++rooms}`;
        await join(alice, room);
        await publish(alice, room, { text: 'a😀'.slice(0, 2) });
        await publish(alice, room, { text: '😀'.slice(1), bytes: Buffer.from([1]) });
        await receives(alice, 'message', 2);
        assert.deepEqual(texts(alice), ['a\ufffd', '\ufffd']);
    });

    test('reserved names close the connection', async t => {
        const alice = await as(t, 'alice', { transports: ['websocket'] });
        alice.io.engine.write('2["disconnect","spoofed"]');
        await inState(alice, 'transport close');
    });

    test('a key makes a repeated message one, without it is two', async t => {
        const [alice, bob] = [await as(t, 'alice'), await as(t, 'bob')];
        const room = `room-${++rooms}`;
        await join(alice, room);
        await join(bob, room);
        const first = await publish(bob, room, { text: 'once', key: 'k1' });
        assert.deepEqual(await publish(bob, room, { text: 'once', key: 'k1' }), first);
        const [conflict] = await ask(bob, 'message', { roomId: room, text: 'other', key: 'k1' });
        assert.equal(conflict.error.code, 'conflict');
        await publish(bob, room, { text: 'twice' });
        await publish(bob, room, { text: 'twice' });
        await publish(bob, room, { text: 'end' });
        await receives(alice, 'message', 4);
        assert.deepEqual(texts(alice), ['once', 'twice', 'twice', 'end']);
    });

    test('rooms are shared with the other transports', async t => {
        const room = `room-${++rooms}`, token = tokenFor('carol');
        const alice = await as(t, 'alice');
        const others = [await connectNative(hub, { token }), await connectSse(hub, { token, rooms: [room] }),
            await connectPoll(hub, { token, rooms: [room] })];
        await others[0].join(room);
        await join(alice, room);
        await publish(alice, room, { text: 'hi', n: 1.5, bin: Buffer.from([1, 2, 3]), userId: 'root' });
        for (const other of others) {
            const message = await other.nextMessage(room);
            assert.deepEqual(message.data, { text: 'hi', n: 1.5, bin: { $binary: 'AQID' } });
            assert.deepEqual([message.user, message.event], ['alice', 'message']);
        }
        await others[0].publish(room, { bin: { $binary: 'AQID' }, roomId: 'elsewhere' }, { event: 'note' });
        await receives(alice, 'note', 1);
        const { ts, ...note } = told(alice, 'note')[0];
        assert.deepEqual(note, { userId: 'carol', roomId: room, bin: Buffer.from([1, 2, 3]) });
        await others[1].publish(room, 'sse');
        await others[2].publish(room, 'poll');
        await receives(alice, 'message', 3);
    });

    test('what a hostile client publishes breaks nobody', async t => {
        const room = `room-${++rooms}`;
        const alice = await as(t, 'alice');
        await join(alice, room);
        const native = await connectNative(hub, { token: tokenFor('mallory') });
        await native.join(room);
        for (const data of [{ a: { $binary: 'AQID' }, b: { _placeholder: true, num: 99 } }, { $binary: 'not base64' },
            Array.from({ length: 20 }, () => ({ $binary: 'AQID' })), { __proto__: 1, constructor: 2 }, null])
            await native.publish(room, data);
        await native.publish(room, { text: 'end' });
        await until(() => texts(alice).includes('end'), 'the last one');
        assert.deepEqual(alice.states, ['connect']);
    });

    test('a token that is revoked or a kick ends it for good', async t => {
        const alice = await as(t, 'alice', { transports: ['websocket'] });
        const { json } = await hub.admin('/api/v1/sessions');
        const { id } = json.items.find(item => item.transport === 'socketio');
        assert.equal(id, alice.id);
        await hub.admin(`/api/v1/sessions/${id}`, { method: 'DELETE', headers: { 'Content-Type': 'application/json' } });
        await inState(alice, 'io server disconnect');
        assert.equal(alice.active, false);
    });

    test('500 clients', async t => {
        const room = `room-${++rooms}`;
        const all = await Promise.all(Array.from({ length: 500 }, async (_, i) => {
            const socket = await as(t, `user-${i}`, { transports: i % 3 ? ['websocket'] : ['polling'] });
            await join(socket, room);
            return socket;
        }));
        for (let i = 0; i < 20; i++)
            await publish(all[i], room, { text: i });
        await until(() => all.every(socket => texts(socket).length === 20), 'all messages', 30_000);
        for (const socket of all)
            assert.deepEqual(texts(socket), Array.from({ length: 20 }, (_, i) => i));
    });
});

describe('namespaces, and the application', () => {
    const hub = hubForFile(withAsker({ namespaces: ['/', '/x', '/game-*'], recovery: 0 }));

    test('several on one connection, with rooms of their own', async t => {
        const main = await connect(t, hub);
        const x = open(t, hub, { manager: main.io, namespace: '/x' });
        const game = open(t, hub, { manager: main.io, namespace: '/game-7' });
        await connected(x);
        await connected(game);
        assert.equal(new Set([main.id, x.id, game.id]).size, 3);
        const native = await connectNative(hub);
        for (const room of ['hall', 'x:hall', 'game-7:hall'])
            await native.join(room);
        for (const socket of [main, x, game])
            await join(socket, 'hall');
        await publish(x, 'hall', { text: 'x' });
        assert.equal((await native.nextMessage('x:hall')).data.text, 'x');
        await native.publish('game-7:hall', { text: 'game' });
        await publish(main, 'hall', { text: 'main' });
        for (const [socket, text] of [[main, 'main'], [x, 'x'], [game, 'game']]) {
            await receives(socket, 'message', 1);
            assert.deepEqual(told(socket, 'message').map(m => [m.roomId, m.text]), [['hall', text]]);
        }
        const [answer] = await ask(main, 'join-room', 'x:hall');
        assert.equal(answer.ok, false);
        x.disconnect();
        await publish(game, 'hall', { text: 'still there' });
        await receives(game, 'message', 2);
        const nowhere = open(t, hub, { manager: main.io, namespace: '/nowhere' });
        await inState(nowhere, 'error: Invalid namespace');
    });

    for (const [way, list] of Object.entries(WAYS))
        test(`${way}: the server asks and is answered`, async t => {
            const socket = await connect(t, hub, { transports: list });
            socket.on('question', (a, b, answer) => answer(b, a, Buffer.from([9])));
            assert.deepEqual(await ask(socket, 'ask-me', 'one', { bin: Buffer.from([1]) }),
                [{ bin: Buffer.from([1]) }, 'one', Buffer.from([9])]);
            socket.off('question');
            assert.deepEqual(await ask(socket, 'ask-me', 1), [{ code: 14 }]); // nobody answers in time
        });

    test('the server tells all of a namespace, and a room', async t => {
        const [one, two] = [await connect(t, hub, { namespace: '/x' }), await connect(t, hub, { namespace: '/x' })];
        const other = await connect(t, hub);
        await ask(one, 'tell-all', 'extra', 2);
        for (const socket of [one, two])
            await until(() => socket.events.some(event => event[0] === 'news'), 'the news');
        assert.deepEqual(told(one, 'user-joined'), []); // a namespace is no room that one joins
        assert.deepEqual(one.events.at(-1), ['news', 'extra', 2]);
        await join(other, 'hall');
        await ask(other, 'tell-room', { text: 'hear' });
        await receives(other, 'news', 1);
        const { ts, ...news } = told(other, 'news')[0];
        assert.deepEqual(news, { userId: null, roomId: 'hall', text: 'hear' });
    });

    test('the server ends one namespace; what is in flight does no harm', async t => {
        const main = await connect(t, hub, { transports: ['websocket'] });
        const x = open(t, hub, { manager: main.io, namespace: '/x' });
        await connected(x);
        x.emit('put-me-out');
        for (let i = 0; i < 50; i++)
            x.emit('in-flight', i);
        await inState(x, 'io server disconnect');
        main.io.engine.write('2/x,["late"]');
        await join(main, 'hall');
        assert.deepEqual(main.states, ['connect']);
        x.connect();
        await until(() => x.connected, 'the way back');
    });

    test('time-outs and retries of the client', async t => {
        const socket = await connect(t, hub, { retries: 3, ackTimeout: 5000 });
        const answers = [];
        for (let i = 0; i < 5; i++)
            socket.emit('join-room', `retry-${i}`, (error, answer) => answers.push([error, answer.ok]));
        await until(() => answers.length === 5, 'the acks');
        assert.deepEqual(answers, Array(5).fill([null, true]));
        await assert.rejects(socket.timeout(50).emitWithAck('ask-me'), /timed out/);
    });

    test('a burst is dealt with in order, whatever its length', async t => {
        for (const list of Object.values(WAYS)) {
            const socket = await connect(t, hub, { transports: list });
            await join(socket, 'burst');
            const acks = [];
            for (let i = 0; i < 2000; i++)
                socket.emit('message', { roomId: 'burst', text: i }, answer => acks.push(answer.ok));
            await until(() => acks.length === 2000, () => `2000 acks, got ${acks.length}`, 30_000);
            assert.ok(acks.every(Boolean));
            await receives(socket, 'message', 2000);
            assert.deepEqual(texts(socket), Array.from({ length: 2000 }, (_, i) => i));
            socket.disconnect();
        }
    });
});

test('what is emitted while the server restarts arrives afterwards', async t => {
    const hub = await startHub(t, { transports: transports(),
        rooms: [{ match: '*', join: 'anyone', publish: 'anyone', history: { messages: 100, age: '5m' } }] });
    const socket = await connect(t, hub);
    await hub.stop();
    await inState(socket, 'transport close');
    const acks = [];
    for (let i = 0; i < 10; i++)
        socket.emit('message', { roomId: 'r', text: i }, answer => acks.push(answer.ok));
    await hub.start();
    await until(() => acks.length === 10, () => `ten acks; ${socket.states}`);
    const { messages } = await (await connectNative(hub)).ok({ type: 'history', room: 'r' });
    assert.deepEqual(messages.map(message => message.data.text), Array.from({ length: 10 }, (_, i) => i));
});

test('a drain closes the transport, and the client comes back by itself', async t => {
    const hub = await startHub(t, { transports: transports() });
    const sockets = [];
    for (const list of Object.values(WAYS))
        sockets.push(await connect(t, hub, { transports: list }));
    await hub.stop();
    for (const socket of sockets) {
        await until(() => socket.states.length > 1, 'the end');
        assert.equal(socket.states[1], 'transport close');
        assert.equal(socket.active, true);
    }
});

test('io() by url, with a query and extra headers', async t => {
    const hub = await startHub(t, { transports: transports() });
    const socket = io(hub.base, { query: { app: 'x' }, extraHeaders: { 'X-App': 'y' }, forceNew: true });
    t.after(() => socket.disconnect());
    await until(() => socket.connected, 'the connection');
});
