// Clients of every kind behind HAProxy and two nodes that share a Redis; one node is told to go. What
// they are promised: nothing lost, nothing twice, no crowd at the other node's door.
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import { io } from 'socket.io-client';
import WebSocket from 'ws';
import { connect } from '../../../transports/client/hubbub.js';
import { SECRET, tokenFor } from './jwt.mjs';
import { startCluster, startRedis } from './redis.mjs';
import { startShippedHaproxy } from './shipped.mjs';
import { until } from './until.mjs';

const AT_ONCE = 100;

/** A member of one room that keeps what it hears; `gaps` counts how often it was told of a hole. */
class Member {
    constructor(way, room) {
        Object.assign(this, { way, room, seen: [], gaps: 0, isIn: false, returns: 0, told: [] });
    }

    open(base) { return this.way === 'socketio' ? this.openSocketio(base) : this.openHub(base); }

    openHub(base) {
        this.hub = connect(base, { transports: [this.way], WebSocket, openTimeout: 30_000 });
        this.hub.on('message', ({ data }) => this.seen.push(data));
        this.hub.on('gap', () => { this.gaps++; });
        this.hub.on('bye', ({ delay }) => { this.told.push(delay); this.returns++; this.isIn = false; });
        this.hub.on('state', ({ state }) => { this.isIn &&= state === 'online'; });
        this.hub.on('joined', () => { this.isIn = true; });
        return this.hub.join(this.room).then(() => { this.isIn = true; });
    }

    openSocketio(base) {
        this.socket = io(base, { forceNew: true, timeout: 30_000 });
        this.socket.on('message', ({ data }) => this.seen.push(data));
        this.socket.on('disconnect', () => { this.returns++; this.isIn = false; });
        this.socket.on('connect', () => {
            this.gaps += this.returns > 0 && !this.socket.recovered;
            if (this.socket.recovered)
                this.isIn = true;
            else
                this.socket.emit('join-room', this.room, () => { this.isIn = true; });
        });
        return until(() => this.isIn, 'a Socket.IO client to be in', 60_000);
    }

    close() {
        this.hub?.close();
        this.socket?.disconnect();
    }
}

/** Publishes numbered messages, each when the one before has its place. */
class Writer {
    constructor(base, name, rooms, every) {
        Object.assign(this, { name, rooms, every, acked: [], over: false });
        this.hub = connect(base, { WebSocket, transports: ['websocket'], token: tokenFor(name), openTimeout: 30_000 });
    }

    async run() {
        for (let n = 0; !this.over; n++) {
            const room = this.rooms[n % this.rooms.length], data = `${this.name}-${n}`;
            await this.hub.publish(room, data);
            this.acked.push({ room, data });
            await pause(this.every);
        }
        this.hub.close();
    }
}

async function openAll(members, base) {
    const left = [...members];
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
        for (let one; (one = left.pop());)
            await one.open(base);
    }));
}

/** Looks at how many a node has taken in; the function ends it and gives [[ms, count], …]. */
function watchDoor(hub) {
    const looks = [];
    let over = false;
    const looking = (async () => {
        while (!over) {
            looks.push([performance.now(), await hub.metric('hubbub_connections_opened_total')]);
            await pause(50);
        }
    })();
    return async () => {
        over = true;
        await looking;
        return looks;
    };
}

/** The most that came in within any so many ms, per second. */
function peak(looks, ms) {
    let most = 0, from = 0;
    for (const [at, count] of looks) {
        while (looks[from + 1]?.[0] <= at - ms)
            from++;
        const [then, before] = looks[from];
        most = Math.max(most, (count - before) / (Math.max(at - then, ms) / 1000));
    }
    return most;
}

function check(members, writers) {
    const byRoom = new Map();
    for (const { room, data } of writers.flatMap(({ acked }) => acked))
        byRoom.set(room, (byRoom.get(room) ?? new Set()).add(data));
    for (const { way, room, seen, gaps } of members) {
        const wanted = byRoom.get(room) ?? new Set();
        assert.equal(new Set(seen).size, seen.length, `${way}: a message came twice`);
        assert.ok(gaps === 0 || way === 'socketio', `${way}: a hole`);
        assert.ok(gaps > 0 || seen.length === wanted.size, `${way}: ${seen.length} of ${wanted.size}`);
        assert.ok(seen.every(text => wanted.has(text)), way);
        for (const { name } of writers) {
            const numbers = seen.filter(text => text.startsWith(`${name}-`)).map(text => Number(text.slice(name.length + 1)));
            assert.ok(numbers.every((n, i) => i === 0 || n > numbers[i - 1]), `${way}: ${name} out of order`);
        }
    }
    // One order in a room, whatever the transport and node.
    const first = new Map();
    for (const { way, room, seen } of members.filter(({ gaps }) => gaps === 0)) {
        if (!first.has(room))
            first.set(room, seen.join());
        assert.equal(seen.join(), first.get(room), `${way}: another order in ${room}`);
    }
}

/**
 * counts: {websocket, sse, longpoll, socketio}; drain: as configured. Gives what was measured: sessions
 * that left, what `delays` those were told that can be told, the `ways` of those that came back, and the peak at the
 * other node's door.
 */
export async function exodus(t, { counts, drain, writers: nWriters = 4, every = 200, workers = 1 }) {
    const redis = await startRedis(t);
    const hubs = await startCluster(t, redis, 2, {
        workers, drain, trusted_proxies: ['127.0.0.1'], limits: { connections_per_ip: 0 },
        transports: { websocket: {}, sse: {}, longpoll: {}, socketio: {} },
        plugins: [{ 'auth-jwt': { secret: SECRET, anonymous: true } }],
        rooms: [{ match: '*', join: 'anyone', publish: 'anyone', history: { messages: 2000, age: '1h' } }],
        options: { timeout: '5s' },
    });
    const base = await startShippedHaproxy(t, hubs);
    const all = Object.entries(counts).flatMap(([way, n]) => Array(n).fill(way));
    const rooms = Array.from({ length: Math.ceil(all.length / 50) }, (_, i) => `room-${i}`);
    const members = all.map((way, i) => new Member(way, rooms[i % rooms.length]));
    t.after(() => members.forEach(member => member.close()));
    await openAll(members, base);
    // HAProxy sends one address's Socket.IO clients to one node: that one goes.
    const socketio = await hubs[0].metric('hubbub_connections', { transport: 'socketio' });
    const [leaving, staying] = socketio === 0 && counts.socketio > 0 ? hubs.reverse() : hubs;
    const writers = Array.from({ length: nWriters }, (_, i) => new Writer(base, `w${i}`, rooms, every));
    const writing = writers.map(writer => writer.run());
    await until(() => writers.every(({ acked }) => acked.length >= 5), 'all to write', 30_000);

    const left = await leaving.metric('hubbub_sessions');
    const endWatch = watchDoor(staying), began = performance.now();
    leaving.signal('SIGTERM');
    const exit = await leaving.waitExit();
    const took = performance.now() - began;
    await until(() => members.every(({ isIn }) => isIn), () => `all to be back; ${members.filter(({ isIn }) => !isIn)
        .slice(0, 5).map(({ way, returns, hub }) => `${way} ${returns} ${hub?.state}`)}`, 60_000);
    const looks = await endWatch();
    const goals = writers.map(({ acked }) => acked.length + 2);
    await until(() => writers.every(({ acked }, i) => acked.length >= goals[i]), 'all to write on', 30_000);
    writers.forEach(writer => { writer.over = true; });
    await Promise.all(writing);
    const wanted = new Map();
    writers.forEach(({ acked }) => acked.forEach(({ room }) => wanted.set(room, (wanted.get(room) ?? 0) + 1)));
    const lacks = ({ room, seen, gaps }) => gaps === 0 && seen.length < (wanted.get(room) ?? 0);
    await until(() => !members.some(lacks), () => `everybody to have everything: ${members.filter(lacks)
            .slice(0, 5).map(({ way, room, seen }) => `${way} ${seen.length} of ${wanted.get(room)}`)}`, 60_000);
    check(members, writers);
    return {
        exit, took, left, cutOff: /time is up/.test(leaving.stderr), returned: members.filter(({ returns }) => returns > 0).length,
        fresh: members.filter(({ gaps }) => gaps > 0).length,
        written: writers.reduce((n, { acked }) => n + acked.length, 0), heard: members.reduce((n, { seen }) => n + seen.length, 0),
        delays: members.flatMap(({ told }) => told), peak: ms => peak(looks, ms),
        ways: members.filter(({ returns }) => returns > 0).map(({ way }) => way),
    };
}
