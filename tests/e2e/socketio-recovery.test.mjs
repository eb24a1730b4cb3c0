// A client of Socket.IO that lost its connection finds all as it was: also where the reference loses
// the session. Or it is told, by a fresh one; never a silent hole.
import assert from 'node:assert/strict';
import { join as path } from 'node:path';
import test, { describe } from 'node:test';
import { connect as connectNative } from './lib/client.mjs';
import { engineOf } from './lib/engine.mjs';
import { SECRET, mint, tokenFor } from './lib/jwt.mjs';
import { buildDir, hubForFile, startHub } from './lib/server.mjs';
import { WAYS, ask, connect, inState, join, ok, open, publish, receives, texts, told } from './lib/sio.mjs';
import { cutAtAnyMoment, recoveries } from './lib/sio-cut.mjs';
import { until } from './lib/until.mjs';

const CONFIG = {
    transports: { websocket: {}, socketio: { recovery: '1m', namespaces: ['/', '/x'] } },
    plugins: { directories: [path(buildDir, 'tests/abi'), path(buildDir, 'plugins')],
        load: [{ 'auth-jwt': { secret: SECRET, anonymous: true } }, { asker: {} }] },
    rooms: [{ match: 'short*', join: 'anyone', publish: 'anyone', history: { messages: 3, age: '5m' } },
        { match: 'none*', join: 'anyone', publish: 'anyone' },
        { match: 'claim*', join: 'claim', publish: 'anyone', history: { messages: 100, age: '5m' } },
        { match: '*', join: 'anyone', publish: 'anyone', history: { messages: 500, age: '5m' } }],
};

/** Breaks the connection, publishes meanwhile, waits until the client is back. */
async function interrupt(socket, meanwhile = () => {}) {
    const before = socket.states.length;
    socket.io.reconnection(false);
    socket.io.engine.close();
    await until(() => !socket.connected, 'the break');
    await meanwhile();
    socket.io.reconnection(true);
    socket.connect();
    await until(() => socket.connected, () => `the way back; ${socket.states}`);
    return socket.states.slice(before).at(-1);
}

describe('a connection that broke', () => {
    const hub = hubForFile(CONFIG);
    let rooms = 0;
    const newRoom = (prefix = 'room') => `${prefix}-${++rooms}`;

    for (const [way, list] of Object.entries(WAYS)) {
        test(`${way}: what was missed comes, in order and once`, async t => {
            const room = newRoom(), native = await connectNative(hub);
            const socket = await connect(t, hub, { transports: list });
            await join(socket, room);
            const id = socket.id;
            await native.publish(room, { text: 0 });
            await receives(socket, 'message', 1);
            for (let round = 1; round <= 3; round++) {
                const state = await interrupt(socket, async () => {
                    for (let i = 1; i <= 100; i++)
                        await native.publish(room, { text: (round - 1) * 100 + i });
                });
                assert.equal(state, 'recovered');
                assert.equal(socket.id, id);
                await receives(socket, 'message', 1 + round * 100);
            }
            await publish(socket, room, { text: 'end' });
            await until(() => texts(socket).includes('end'), 'the end');
            assert.deepEqual(texts(socket), [...Array(301).keys(), 'end']);
        });

        test(`${way}: also when no event had come yet`, async t => {
            const room = newRoom(), native = await connectNative(hub);
            const socket = await connect(t, hub, { transports: list });
            await join(socket, room);
            for (let i = 0; i < 3; i++)
                assert.equal(await interrupt(socket), 'recovered');
            assert.equal(await interrupt(socket, () => native.publish(room, { text: 'missed' })), 'recovered');
            await receives(socket, 'message', 1);
            assert.deepEqual(texts(socket), ['missed']);
        });
    }

    test('an application\'s own string does not overwrite the offset', async t => {
        const room = newRoom(), native = await connectNative(hub);
        const socket = await connect(t, hub);
        await join(socket, room);
        await native.publish(room, { text: 1 });
        await ask(socket, 'tell-all', 'garbage');
        await receives(socket, 'news', 1);
        assert.equal(await interrupt(socket, () => native.publish(room, { text: 2 })), 'recovered');
        await receives(socket, 'message', 2);
        assert.deepEqual(texts(socket), [1, 2]);
    });

    test('an offset that is none of ours: nobody knows what the client has, so a fresh session', async t => {
        const room = newRoom(), native = await connectNative(hub);
        const socket = await connect(t, hub);
        await join(socket, room);
        await native.publish(room, { text: 1 });
        await receives(socket, 'message', 1);
        socket._lastOffset = 'garbage';
        assert.equal(await interrupt(socket, () => native.publish(room, { text: 2 })), 'connect');
        await join(socket, room); // the client brings it again, but by now it is known to say nothing
        assert.equal(await interrupt(socket, () => native.publish(room, { text: 3 })), 'recovered');
        await receives(socket, 'message', 2);
        assert.deepEqual(texts(socket), [1, 3]);
    });

    test('an offset of a former life says nothing of rooms joined since', async t => {
        const room = newRoom('short'), native = await connectNative(hub);
        const socket = await connect(t, hub);
        await join(socket, room);
        await native.publish(room, { text: 0 });
        await receives(socket, 'message', 1);
        assert.equal(await interrupt(socket, async () => {
            for (let i = 1; i <= 5; i++)
                await native.publish(room, { text: i });
        }), 'connect');
        await join(socket, room);
        assert.equal(await interrupt(socket, () => native.publish(room, { text: 6 })), 'recovered');
        await receives(socket, 'message', 2);
        assert.deepEqual(texts(socket), [0, 6]);
    });

    test('one room of several can\'t be had: nothing of the others is told either', async t => {
        const [short, ...long] = [newRoom('short'), newRoom(), newRoom(), newRoom()], native = await connectNative(hub);
        const socket = await connect(t, hub);
        for (const room of [...long, short])
            await join(socket, room);
        await native.publish(short, { text: 'seen' });
        await receives(socket, 'message', 1);
        assert.equal(await interrupt(socket, async () => {
            for (let i = 1; i <= 5; i++)
                for (const room of [short, ...long])
                    await native.publish(room, { text: i });
        }), 'connect');
        for (const room of long)
            await native.publish(room, { text: 'not a member' });
        await join(socket, long[0]);
        await publish(socket, long[0], { text: 'end' });
        await receives(socket, 'message', 2);
        assert.deepEqual(texts(socket), ['seen', 'end']);
    });

    test('the user\'s messages come once, whatever namespace comes back first', async t => {
        const tell = async n => assert.equal((await hub.admin('/api/v1/publish', { method: 'POST',
            body: { user: 'xenia', event: 'notice', data: { n } } })).status, 200);
        const x = await connect(t, hub, { namespace: '/x', token: tokenFor('xenia') });
        const main = open(t, hub, { manager: x.io, token: tokenFor('xenia') });
        await until(() => main.connected, 'the main namespace');
        const room = newRoom();
        await join(x, room);
        await publish(x, room, { text: 'an early offset' });
        await receives(x, 'message', 1);
        for (let n = 1; n <= 3; n++)
            await tell(n);
        await receives(main, 'notice', 3);
        assert.equal(await interrupt(x, () => tell(4)), 'recovered');
        await receives(main, 'notice', 4);
        assert.equal(recoveries(main), 1);
        assert.deepEqual(told(main, 'notice').map(notice => notice.n), [1, 2, 3, 4]);
    });

    test('what a whole namespace was told is had too', async t => {
        const native = await connectNative(hub);
        const x = await connect(t, hub, { namespace: '/x' });
        await join(x, newRoom()); // by then it is in the namespace's own room
        await native.publish('x:', { n: 0 }, { event: 'all' });
        await receives(x, 'all', 1);
        assert.equal(await interrupt(x, () => native.publish('x:', { n: 1 }, { event: 'all' })), 'recovered');
        await receives(x, 'all', 2);
        assert.deepEqual(told(x, 'all').map(all => all.n), [0, 1]);
    });

    test('rooms joined, left and joined again each go on from where they were', async t => {
        const [a, b, c] = [newRoom(), newRoom(), newRoom()], native = await connectNative(hub);
        const socket = await connect(t, hub);
        await join(socket, a);
        await join(socket, b);
        await native.publish(a, { text: 'a1' });
        await receives(socket, 'message', 1);
        await ok(socket, 'leave-room', b);
        await native.publish(b, { text: 'b1, not for it' });
        await join(socket, b);
        await join(socket, c);
        assert.equal(await interrupt(socket, async () => {
            for (const room of [c, b, a])
                await native.publish(room, { text: `${room}, missed` });
        }), 'recovered');
        await receives(socket, 'message', 4);
        assert.deepEqual(texts(socket).slice(1).sort(), [a, b, c].map(room => `${room}, missed`).sort());
        await ok(socket, 'leave-room', a);
        assert.equal(await interrupt(socket, () => native.publish(a, { text: 'left' })), 'recovered');
        await publish(socket, c, { text: 'end' });
        await receives(socket, 'message', 5);
        assert.equal(texts(socket).at(-1), 'end');
    });

    test('two namespaces on one connection, each by itself', async t => {
        const room = newRoom(), native = await connectNative(hub);
        const main = await connect(t, hub);
        const x = open(t, hub, { manager: main.io, namespace: '/x' });
        await until(() => x.connected, 'the second namespace');
        await join(main, room);
        await join(x, room);
        assert.equal(await interrupt(main, async () => {
            await native.publish(room, { text: 'main' });
            await native.publish(`x:${room}`, { text: 'x' });
        }), 'recovered');
        await inState(x, 'recovered');
        await receives(main, 'message', 1);
        await receives(x, 'message', 1);
        assert.deepEqual([texts(main), texts(x)], [['main'], ['x']]);
    });

    test('messages to the user come too', async t => {
        const alice = await connect(t, hub, { token: tokenFor('alice') });
        assert.equal(await interrupt(alice, async () => {
            const { status } = await hub.admin('/api/v1/publish', { method: 'POST',
                body: { user: 'alice', event: 'notice', data: { n: 1 } } });
            assert.equal(status, 200);
        }), 'recovered');
        await receives(alice, 'notice', 1);
        assert.equal(told(alice, 'notice')[0].n, 1);
    });

    test('others see it leave and come back', async t => {
        const room = newRoom();
        const [alice, bob] = [await connect(t, hub, { token: tokenFor('alice') }), await connect(t, hub, { token: tokenFor('bob') })];
        await join(alice, room);
        await join(bob, room);
        await interrupt(bob);
        await receives(alice, 'user-left', 1);
        await receives(alice, 'user-joined', 2);
    });

    test('history too short: a fresh session', async t => {
        const room = newRoom('short'), native = await connectNative(hub);
        const socket = await connect(t, hub);
        await join(socket, room);
        await native.publish(room, { text: 0 });
        await receives(socket, 'message', 1);
        const id = socket.id;
        assert.equal(await interrupt(socket, async () => {
            for (let i = 1; i <= 5; i++)
                await native.publish(room, { text: i });
        }), 'connect');
        assert.notEqual(socket.id, id);
        await native.publish(room, { text: 6 });
        await join(socket, room); // its rooms are gone with it
        await native.publish(room, { text: 7 });
        await until(() => texts(socket).includes(7), 'the next one');
        assert.deepEqual(texts(socket), [0, 7]);
    });

    test('a room without history: a fresh session', async t => {
        const socket = await connect(t, hub);
        await join(socket, newRoom('none'));
        assert.equal(await interrupt(socket), 'connect');
    });

    test('credentials are looked at again, and whose they are', async t => {
        const alice = await connect(t, hub, { token: tokenFor('alice') });
        await join(alice, newRoom());
        const before = alice.states.length;
        alice.auth = { token: 'wrong' };
        alice.io.engine.close();
        await inState(alice, 'error: Invalid token');
        assert.equal(alice.states.length, before + 2);
        alice.auth = { token: tokenFor('mallory') };
        alice.connect();
        await until(() => alice.connected, 'the connection as another');
        assert.equal(recoveries(alice), 0);
    });

    test('a right to a room that is gone: a fresh session', async t => {
        const room = newRoom('claim'), native = await connectNative(hub);
        const may = mint({ sub: 'alice', hubbub: { join: ['claim*'] } });
        const alice = await connect(t, hub, { token: may });
        await join(alice, room);
        assert.equal(await interrupt(alice, () => native.publish(room, { text: 1 })), 'recovered');
        alice.auth = { token: tokenFor('alice') };
        assert.equal(await interrupt(alice, () => native.publish(room, { text: 2 })), 'connect');
        assert.deepEqual(texts(alice), [1]);
    });

    test('who left, or was put out, is not recovered', async t => {
        const socket = await connect(t, hub);
        await join(socket, newRoom());
        socket.disconnect();
        await until(() => !socket.connected, 'the end');
        socket.connect();
        await until(() => socket.connected, 'the way back');
        assert.equal(recoveries(socket), 0);
        await ask(socket, 'put-me-out').catch(() => {});
        await inState(socket, 'io server disconnect');
        socket.connect();
        await until(() => socket.connected, 'the way back');
        assert.equal(recoveries(socket), 0);
    });

    test('with the old connection not noticed to be dead yet', async t => {
        const engine = engineOf(hub, '/socket.io/'), room = newRoom(), native = await connectNative(hub);
        const old = engine.socket();
        await old.next();
        old.send('40');
        const { sid, pid } = JSON.parse((await old.nextPacket()).slice(2));
        old.send(`421["join-room","${room}"]`);
        assert.match(await old.nextPacket(), /^431\[\{"ok":true/);
        await native.publish(room, { text: 1 });
        const first = JSON.parse((await old.nextPacket()).slice(2));
        await native.publish(room, { text: 2 });
        await old.nextPacket(); // written, but let us say that the network lost it
        const again = engine.socket();
        await again.next();
        again.send(`40${JSON.stringify({ pid, offset: first[2] })}`);
        assert.deepEqual(JSON.parse((await again.nextPacket()).slice(2)), { sid, pid });
        const missed = JSON.parse((await again.nextPacket()).slice(2));
        assert.deepEqual([missed[0], missed[1].text], ['message', 2]);
        assert.equal((await old.closed).code !== undefined, true);
        again.close();
    });

    test('cut off again before it heard that it is back, on whatever worker', async t => {
        const engine = engineOf(hub, '/socket.io/'), room = newRoom(), native = await connectNative(hub);
        let socket = engine.socket();
        await socket.next();
        socket.send('40');
        const { sid, pid } = JSON.parse((await socket.nextPacket()).slice(2));
        socket.send(`421["join-room","${room}"]`);
        assert.match(await socket.nextPacket(), /^431\[\{"ok":true/);
        await native.publish(room, { text: 1 });
        const offset = JSON.parse((await socket.nextPacket()).slice(2))[2];
        await native.publish(room, { text: 2 });
        const dropped = [socket];
        for (let i = 0; i < 20; i++) { // some are answered, some are overtaken; none hears the answer
            socket = engine.socket();
            await socket.next();
            socket.send(`40${JSON.stringify({ pid, offset })}`);
            dropped.push(socket);
            if (i % 3 === 0)
                await socket.nextPacket();
            if (i % 4 === 0)
                socket.socket.terminate();
        }
        const last = engine.socket();
        await last.next();
        last.send(`40${JSON.stringify({ pid, offset })}`);
        assert.deepEqual(JSON.parse((await last.nextPacket()).slice(2)), { sid, pid });
        assert.equal(JSON.parse((await last.nextPacket()).slice(2))[1].text, 2);
        await Promise.all(dropped.map(({ closed }) => closed));
        last.close();
    });

    test('over polling the end comes by itself: with messages the client would keep them, and show them twice', async t => {
        const engine = engineOf(hub, '/socket.io/'), room = newRoom(), native = await connectNative(hub);
        const { sid } = await engine.open(), payloads = [];
        await engine.post(sid, '40');
        const { sid: id } = JSON.parse((await engine.poll(sid)).text.slice(2));
        await engine.post(sid, `421["join-room","${room}"]`);
        assert.match((await engine.poll(sid)).text, /^431\[\{"ok":true/);
        await native.publish(room, { text: 1 });
        assert.equal((await hub.admin(`/api/v1/sessions/${id}`, { method: 'DELETE', body: {} })).status, 200);
        do
            payloads.push((await engine.poll(sid)).text);
        while (!/(^|\x1e)1$/.test(payloads.at(-1)));
        assert.match(payloads[0], /^42\["message",.*"text":1/);
        assert.equal(payloads.at(-1), '1');
    });

    test('a pid that is none is as good as none', async t => {
        const engine = engineOf(hub, '/socket.io/');
        for (const pid of ['', 'short', 'A'.repeat(20), '_'.repeat(20), '%'.repeat(20), 'x'.repeat(5000), 7, null, {}]) {
            const socket = engine.socket();
            await socket.next();
            socket.send(`40${JSON.stringify({ pid, offset: 'x' })}`);
            assert.notEqual(JSON.parse((await socket.nextPacket()).slice(2)).pid, pid);
            socket.close();
        }
    });
});

test('after the recovery time it is a fresh session', async t => {
    const hub = await startHub(t, { ...CONFIG, transports: { socketio: { recovery: '50ms' } } });
    const socket = await connect(t, hub);
    await join(socket, 'r');
    const state = await interrupt(socket, () => new Promise(resolve => setTimeout(resolve, 200)));
    assert.equal(state, 'connect');
});

test('with recovery off there is no pid, and no offset in events', async t => {
    const hub = await startHub(t, { ...CONFIG, transports: { socketio: { recovery: 0 } } });
    const socket = await connect(t, hub);
    await join(socket, 'r');
    await publish(socket, 'r', { text: 1 });
    await receives(socket, 'message', 1);
    assert.equal(socket.events.find(event => event[0] === 'message').length, 2);
    assert.equal(await interrupt(socket), 'connect');
});

test('cut at any moment, over any way, nothing is lost and nothing comes twice', t =>
    cutAtAnyMoment(t, { config: CONFIG, messages: 200, cuts: 4 }));
