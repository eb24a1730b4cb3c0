// Writers and readers that never give up, over all transports, and what is promised to them: every
// acknowledged message once, in the room's one order, or word of the gap. Over a cluster, while its
// parts fail.
import assert from 'node:assert/strict';
import { Manager } from 'socket.io-client';
import { connect, open } from './client.mjs';
import { SECRET, tokenFor } from './jwt.mjs';
import { openPoll } from './poll.mjs';
import { openSse } from './sse.mjs';
import { until, within } from './until.mjs';

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));
const FOREVER_MS = 3_600_000, JOIN_MS = 8000;

// What lies this long before a reader's last message may still have been on its way to it then.
const SLACK_MS = 3000;

/**
 * A member that comes back whenever it is sent away. What it saw is in lives: one goes on as long as
 * its cursor recovers, a new one begins when it is told that something is missing.
 */
class Reader {
    constructor(hubs, at, room) {
        Object.assign(this, { hubs, at, room, lives: [], closes: 0, cursor: undefined, over: false, isIn: false });
    }

    get hub() { return this.hubs[this.at % this.hubs.length]; }
    get seen() { return this.lives.flatMap(({ seen }) => seen); }
    get gaps() { return Math.max(this.lives.length - 1, 0); }

    async run() {
        while (!this.over) {
            await this.stay().catch(() => {});
            this.isIn = false;
            this.closes++;
            await pause(50);
        }
    }

    joined({ recovered, cursor }) {
        const now = performance.now();
        if (!recovered) {
            this.lives.push({ from: now, last: now, seen: [] });
            this.cursor = cursor;
        }
        this.isIn = true;
    }

    message({ data, cursor }) {
        const life = this.lives.at(-1);
        life.seen.push(data.text);
        life.last = performance.now();
        this.cursor = cursor;
    }

    async listen(client) {
        this.client = client;
        for (;;)
            this.message(await client.next(m => m.type === 'message', FOREVER_MS));
    }

    leave() { this.client?.terminate(); }
}

class WebSocketReader extends Reader {
    async stay() {
        const { client } = await open(this.hub);
        try {
            this.joined(await client.ok({ type: 'join', room: this.room, ...this.cursor && { since: this.cursor } }, JOIN_MS));
            await this.listen(client);
        } finally {
            client.terminate();
        }
    }
}

/** Of server-sent events and of long polls: they join by their query, and are told by an event. */
class QueryReader extends Reader {
    async stay() {
        const { client } = await this.open(this.hub, { rooms: [this.room], cursor: this.cursor });
        try {
            const joined = await client.next(m => m.type === 'joined', JOIN_MS);
            assert.notEqual(joined.ok, false);
            this.joined(joined);
            await this.listen(client);
        } finally {
            client.terminate();
        }
    }
}

class SseReader extends QueryReader {
    open(hub, options) { return openSse(hub, options); }
}

class PollReader extends QueryReader {
    async open(hub, options) {
        const opened = await openPoll(hub, options);
        opened.client.run();
        return opened;
    }
}

/** The stock client, which keeps its own place; it stays with its node. */
class SocketIoReader extends Reader {
    async run() {
        const manager = new Manager(this.hub.base, { reconnectionDelay: 50, reconnectionDelayMax: 200, forceNew: true,
            transports: this.at % 2 ? ['websocket'] : ['polling', 'websocket'], timeout: 3000 });
        this.client = manager.socket('/');
        this.client.on('message', data => this.message({ data }));
        this.client.on('connect', () => this.enter().catch(() => manager.engine?.close()));
        this.client.on('disconnect', reason => {
            this.isIn = false;
            this.closes++;
            if (reason === 'io server disconnect' && !this.over)
                this.client.connect();
        });
        await new Promise(done => { this.leave = done; });
        manager.reconnection(false);
        this.client.disconnect();
        manager._close();
    }

    async enter() {
        if (!this.client.recovered) {
            const answer = await within(new Promise(done => this.client.emit('join-room', this.room, done)), 'the ack', JOIN_MS);
            assert.ok(answer.ok);
        }
        this.joined({ recovered: this.client.recovered });
    }
}

const READERS = { websocket: WebSocketReader, sse: SseReader, longpoll: PollReader, socketio: SocketIoReader };
export const TRANSPORTS = { websocket: {}, sse: {}, longpoll: { wait: '5s' }, socketio: { recovery: '2m' } };

/** Publishes numbered messages, each again with its key until its outcome is known. */
class Writer {
    constructor(hubs, at, room, name, every) {
        Object.assign(this, { hubs, at, room, name, every, written: [], refused: 0, retries: 0, over: false });
    }

    get hub() { return this.hubs[this.at % this.hubs.length]; }
    get acked() { return this.written.map(({ text }) => text); }

    async run() {
        for (let n = 0; !this.over; n++) {
            await this.write(`${this.name}-${n}`);
            await pause(this.every);
        }
        this.client?.terminate();
    }

    async write(text) {
        const started = performance.now();
        for (let attempt = 0; attempt < 1000 && !this.stopped; attempt++) {
            const error = await this.publish({ room: this.room, data: { text }, key: text }).catch(() => this.moveOn());
            if (error === null) {
                this.written.push({ text, started, acked: performance.now() });
                return;
            }
            this.retries++;
            if (error) {
                this.refused++;
                assert.equal(error.code, 'unavailable');
                assert.equal(error.retry, 'same key');
            }
            await pause(50);
        }
        if (!this.stopped)
            throw new Error(`${text} was never taken`);
    }

    /** As a user: a key is known again only from whom it came. Null, or the error. */
    async publish(op) {
        this.client ??= (await open(this.hub, { token: tokenFor(this.name) })).client;
        const reply = await this.client.request({ type: 'publish', ...op, echo: false }, 20_000);
        return reply.ok ? null : reply.error;
    }

    moveOn() {
        this.leave();
        this.client = null;
        this.at++;
    }

    leave() { this.client?.terminate(); }
}

/** An application, by the admin API. */
class ApplicationWriter extends Writer {
    async publish(body) {
        const { status, json } = await this.hub.publish(body);
        if (status !== 200)
            assert.equal(status, 503);
        return status === 200 ? null : json.error;
    }
}

/** What the nodes of a story need. */
export const AUTH = { 'auth-jwt': { secret: SECRET, anonymous: true } };
export const OPEN_ROOMS = [{ match: '*', join: 'anyone', publish: 'anyone', history: { messages: 10000, age: '1h' } }];
export const STORY = { rooms: OPEN_ROOMS, plugins: [AUTH], transports: TRANSPORTS };

const sum = (list, f) => list.reduce((n, one) => n + f(one), 0);

export class Story {
    constructor(t, hubs, { rooms = 2, every = 40, transports = Object.keys(READERS) } = {}) {
        Object.assign(this, { t, hubs });
        this.rooms = Array.from({ length: rooms }, (_, i) => `room-${i}`);
        this.readers = this.rooms.flatMap(room => hubs.flatMap((_, at) =>
            transports.map(transport => new READERS[transport](hubs, at, room))));
        this.writers = this.rooms.flatMap((room, i) => hubs.flatMap((_, at) => [Writer, ApplicationWriter].map((Kind, k) =>
            new Kind(hubs, at, room, `${i}.${at}.${k}`, every))));
    }

    async begin() {
        this.t.after(() => this.stop());
        this.running = this.readers.map(reader => reader.run());
        await until(() => this.readers.every(({ isIn }) => isIn), 'all readers to be in their rooms', 20_000);
        this.writing = this.writers.map(writer => writer.run());
        Promise.all(this.writing).catch(error => { this.failure = error; });
    }

    acked(n = 1) {
        const goals = new Map(this.writers.map(writer => [writer, writer.written.length + n]));
        return until(() => {
            if (this.failure)
                throw this.failure;
            return [...goals].every(([writer, goal]) => writer.written.length >= goal);
        }, () => `${n} more messages of each writer; have ${this.writers.map(w => w.written.length)}, refused `
                + this.writers.map(w => w.refused), 60_000);
    }

    written(room) {
        return this.writers.filter(writer => writer.room === room).flatMap(({ written }) => written);
    }

    /** What was acknowledged and did not come, though no word of a gap covers it. */
    missing(reader) {
        const seen = new Set(reader.seen), { lives } = reader;
        const isTold = ({ started, acked }) => lives.slice(1).some((life, i) =>
            started <= life.from && acked >= lives[i].last - SLACK_MS);
        return this.written(reader.room).filter(message => !seen.has(message.text) && !isTold(message));
    }

    /** Ends the writing and checks the promise; gives what was counted. */
    async end() {
        for (const writer of this.writers)
            writer.over = true;
        await Promise.all(this.writing);
        const histories = new Map();
        for (const room of this.rooms)
            histories.set(room, await this.history(room));
        const isDone = reader => reader.isIn && this.missing(reader).length === 0 && this.hasEnd(reader, histories.get(reader.room));
        await until(() => this.readers.every(isDone), () => 'every reader to have everything or word of a gap: '
            + this.readers.filter(reader => !isDone(reader)).map(reader => this.describe(reader, histories)).join('; '), 30_000);
        for (const reader of this.readers) {
            reader.over = true;
            this.check(reader, histories.get(reader.room));
        }
        this.stop();
        await Promise.all(this.running);
        return this.count();
    }

    /** All of them go, whatever has happened; a test that fails must not hang. */
    stop() {
        for (const one of [...this.readers, ...this.writers]) {
            one.over = one.stopped = true;
            one.leave();
        }
    }

    describe(reader, histories) {
        const missing = this.missing(reader).map(({ text }) => text);
        return `${reader.constructor.name} of ${reader.room} at ${reader.at}: in ${reader.isIn}, gaps ${reader.gaps}, missing `
            + `${missing.slice(0, 5)} (${missing.length}), ends with ${reader.lives.at(-1)?.seen.slice(-3)}, `
            + `the history with ${histories.get(reader.room).slice(-3)}`;
    }

    count() {
        const told = readers => sum(readers, ({ gaps }) => gaps);
        const seen = new Map(this.readers.map(reader => [reader, new Set(reader.seen)]));
        const stock = this.readers.filter(reader => reader instanceof SocketIoReader);
        return {
            acked: sum(this.writers, w => w.written.length), refused: sum(this.writers, w => w.refused),
            retries: sum(this.writers, w => w.retries), delivered: sum(this.readers, r => r.seen.length),
            missing: sum(this.readers, r => this.written(r.room).filter(({ text }) => !seen.get(r).has(text)).length),
            gaps: told(this.readers), freshSocketIo: told(stock), closes: sum(this.readers, r => r.closes),
        };
    }

    /** The room's stream as it stands: its newest thousand. */
    async history(room) {
        const client = await until(() => connect(this.hubs[0]).catch(() => null), 'a client');
        const reply = await until(async () => {
            const answer = await client.request({ type: 'history', room, limit: 1000 });
            return answer.ok && answer;
        }, `the history of ${room}`);
        client.terminate();
        return reply.messages.map(({ data }) => data.text);
    }

    /** Its last life is the end of the stream, with nothing left out, added or turned round. */
    hasEnd(reader, history) {
        const { seen } = reader.lives.at(-1), n = Math.min(seen.length, history.length);
        return n === 0 ? history.length === 0 || reader.gaps > 0
            : seen.slice(-n).join() === history.slice(-n).join();
    }

    check(reader) {
        assert.equal(new Set(reader.seen).size, reader.seen.length, `${reader.room}: a message came twice`);
        for (const { name } of this.writers.filter(({ room }) => room === reader.room)) {
            const numbers = reader.seen.filter(text => text.startsWith(`${name}-`)).map(text => Number(text.split('-')[1]));
            assert.deepEqual(numbers, numbers.toSorted((a, b) => a - b), `${name}: out of order`);
        }
    }

    /** Readers of one room agree on the order of what they have both seen. */
    checkOneOrder() {
        for (const room of this.rooms) {
            const [first, ...others] = this.readers.filter(reader => reader.room === room);
            const place = new Map(first.seen.map((text, i) => [text, i]));
            for (const other of others) {
                const places = other.seen.map(text => place.get(text)).filter(i => i !== undefined);
                assert.ok(places.every((p, i) => i === 0 || p > places[i - 1]), `${room}: two orders`);
            }
        }
    }
}
