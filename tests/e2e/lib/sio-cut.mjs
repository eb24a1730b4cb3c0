// Clients of Socket.IO over every way, whose connections are cut while messages come.
import assert from 'node:assert/strict';
import { connect as connectNative } from './client.mjs';
import { startRelay } from './relay.mjs';
import { startHub } from './server.mjs';
import { WAYS, connect, join, told } from './sio.mjs';
import { until } from './until.mjs';

const ROOMS = ['a', 'b', 'c', 'd', 'e'];

export const recoveries = socket => socket.states.filter(state => state === 'recovered').length;

const textsOf = (socket, room) => told(socket, 'message').filter(m => m.roomId === room).map(m => m.text);

/**
 * Messages in five rooms, to twelve clients whose connections `disturb(relay, i)` may harm after the
 * i-th message. In the end each client must have had each message once and in order, and never a
 * fresh session.
 */
export async function disturbed(t, { config, messages, disturb, seconds = 30 }) {
    // Short pings: the client does not poll any more when its upgrade is cut at the wrong moment.
    const hub = await startHub(t, { ...config, transports: { websocket: {},
        socketio: { recovery: '1m', ping_interval: '500ms', ping_timeout: '1s' } } });
    const relay = await startRelay(t, hub), native = await connectNative(hub);
    const sockets = [];
    for (let i = 0; i < 12; i++) {
        const socket = await connect(t, relay, { transports: Object.values(WAYS)[i % 3], timeout: 2000 });
        for (const room of ROOMS.slice(0, i < 6 ? 5 : 1)) // those in one room share frames
            await join(socket, room);
        sockets.push(socket);
    }
    const sent = Object.fromEntries(ROOMS.map(room => [room, 0]));
    for (let i = 0; i < messages; i++) {
        const room = ROOMS[i * 7 % ROOMS.length];
        await native.publish(room, { text: ++sent[room] });
        await disturb(relay, i);
    }
    relay.calm();
    const expected = i => (i < 6 ? ROOMS : ROOMS.slice(0, 1));
    const missing = () => sockets.flatMap((socket, i) => expected(i).filter(room =>
        textsOf(socket, room).length < sent[room]).map(room => [i, room, textsOf(socket, room).length, sent[room]]));
    const complete = () => until(() => missing().length === 0,
        () => `all messages; ${JSON.stringify([missing(), sockets.map(s => s.states.slice(-4))])}`, seconds * 1000);
    await complete();
    relay.cut(); // once more, with everybody listening
    for (const room of ROOMS)
        await native.publish(room, { text: ++sent[room] });
    await complete();
    sockets.forEach((socket, i) => expected(i).forEach(room =>
        assert.deepEqual(textsOf(socket, room), Array.from({ length: sent[room] }, (_, n) => n + 1),
            `${room} of client ${i} that was ${socket.states}`)));
    sockets.forEach((socket, i) => assert.ok(!socket.states.slice(1).includes('connect'),
        `client ${i} lost its session; it was ${socket.states}`));
    assert.ok(sockets.some(socket => recoveries(socket) > 0)); // who is between two polls is not cut
}

/** All connections cut at once, `cuts` times. */
export function cutAtAnyMoment(t, { config, messages, cuts }) {
    const each = messages / cuts;
    return disturbed(t, { config, messages, disturb: (relay, i) => i % each === each - 1 && relay.cut() });
}
