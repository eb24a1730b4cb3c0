// minutes: 5
// 500 stock clients at once, a third for each way, in rooms that hubbub's own transports share. While
// some are still on their way from polling to WebSocket everybody talks: no message is missing, none
// comes twice, all see one order, and each member's coming and going is told once.
import assert from 'node:assert/strict';
import test from 'node:test';
import { connect as connectNative } from '../e2e/lib/client.mjs';
import { SECRET, tokenFor } from '../e2e/lib/jwt.mjs';
import { connectPoll } from '../e2e/lib/poll.mjs';
import { startHub } from '../e2e/lib/server.mjs';
import { WAYS, connect, join, ok, publish, texts, told } from '../e2e/lib/sio.mjs';
import { connectSse } from '../e2e/lib/sse.mjs';
import { until } from '../e2e/lib/until.mjs';

const CLIENTS = 500, ROOMS = 10, AT_ONCE = 50; // connections that are opened together
const ways = Object.values(WAYS);

/** The room's messages as a client of hubbub's own protocol has them. */
const nativeTexts = (client, room) => client.messages(room).map(message => message.data.text);

async function openRoom(hub, room) {
    const token = tokenFor('native');
    const [speaker, sse, poll] = await Promise.all([connectNative(hub, { token }), connectSse(hub, { token, rooms: [room] }),
        connectPoll(hub, { token, rooms: [room] })]);
    await speaker.join(room);
    return { room, members: [], natives: [speaker, sse, poll], said: 0 };
}

/** Some messages, each once the one before has its place: they go out while others connect. */
async function talk(room) {
    for (let i = 0; i < 4; i++)
        await room.natives[0].publish(room.room, { text: `native ${room.said++}` });
}

async function enter(t, hub, room, i) {
    const user = `user-${i}`, transports = ways[Math.floor(i / ROOMS) % 3];
    const [socket] = await Promise.all([connect(t, hub, { token: tokenFor(user), transports }), talk(room)]);
    const before = room.members.map(member => member.user); // are members, all of them
    await Promise.all([join(socket, room.room), talk(room)]);
    room.members.push({ user, socket, before, transport: transports.at(-1) });
    await publish(socket, room.room, { text: user });
}

/** Whom one heard of, each only once. */
function heardOf(socket, event) {
    const users = told(socket, event).map(({ userId }) => userId), all = new Set(users);
    assert.equal(all.size, users.length, `each ${event} is told once`);
    return all;
}

function checkMessages({ room, members, natives }) {
    const order = nativeTexts(natives[0], room);
    assert.equal(new Set(order).size, order.length, 'nothing comes twice');
    for (const other of natives.slice(1))
        assert.deepEqual(nativeTexts(other, room).slice(-order.length), order);
    for (const { user, socket } of members) {
        const had = texts(socket); // from its join on, so its own message at least
        assert.deepEqual(had, order.slice(-had.length));
        assert.ok(had.includes(user), `${user} has its own message`);
        assert.deepEqual(socket.states, ['connect'], `${user} stayed connected`);
    }
}

/** Of two members the one who was there first hears of the other; of two who come at once, both may. */
function checkJoins(members) {
    const heard = new Map(members.map(({ user, socket }) => [user, heardOf(socket, 'user-joined')]));
    for (const { user, before } of members)
        for (const other of before)
            assert.ok(heard.get(other).has(user), `${other} was there when ${user} came`);
    for (const { user: a } of members)
        for (const { user: b } of members)
            assert.ok(a === b || heard.get(a).has(b) || heard.get(b).has(a), `one of ${a} and ${b} hears of the other`);
}

test('500 clients over all ways, in rooms shared with the other transports', async t => {
    const hub = await startHub(t, { transports: { websocket: {}, sse: {}, longpoll: {}, socketio: {} },
        plugins: { load: [{ 'auth-jwt': { secret: SECRET } }] } });
    const rooms = await Promise.all(Array.from({ length: ROOMS }, (_, i) => openRoom(hub, `room-${i}`)));
    t.after(() => rooms.flatMap(room => room.natives).forEach(client => client.terminate()));
    for (let from = 0; from < CLIENTS; from += AT_ONCE)
        await Promise.all(Array.from({ length: AT_ONCE }, (_, k) => enter(t, hub, rooms[(from + k) % ROOMS], from + k)));

    await until(() => rooms.every(({ members }) => members.every(member => member.socket.io.engine.transport.name === member.transport)),
        'the upgrades');
    await Promise.all(rooms.map(async room => {
        await room.natives[0].publish(room.room, { text: 'end' });
        await until(() => room.members.every(({ socket }) => texts(socket).at(-1) === 'end')
            && room.natives.every(client => nativeTexts(client, room.room).at(-1) === 'end'), 'the last message', 30_000);
    }));
    for (const room of rooms) {
        checkMessages(room);
        checkJoins(room.members);
    }

    // Most leave, one half by the event and the other by going away.
    for (const { room, members } of rooms) {
        const [staying, leaving] = [members.slice(0, 15), members.slice(15)];
        await Promise.all(leaving.map(({ socket }, i) => (i % 2 ? socket.disconnect() : ok(socket, 'leave-room', room))));
        for (const { socket } of staying) {
            await until(() => told(socket, 'user-left').length >= leaving.length, 'who left');
            assert.deepEqual([...heardOf(socket, 'user-left')].sort(), leaving.map(({ user }) => user).sort());
        }
    }
});
