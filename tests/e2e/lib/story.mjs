// Writers and readers that never give up, and what is promised to them: every acknowledged message
// once, in order, or word of the gap. Over a cluster, while its parts fail.
import assert from 'node:assert/strict';
import { open } from './client.mjs';
import { SECRET, tokenFor } from './jwt.mjs';
import { until } from './until.mjs';

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

/** A member that comes back with its cursor, to the same node or the next, whenever it is sent away. */
class Reader {
    constructor(hubs, at, room) {
        Object.assign(this, { hubs, at, room, seen: [], gaps: 0, closes: 0, cursor: undefined, over: false });
    }

    hub() { return this.hubs[this.at % this.hubs.length]; }

    async run() {
        while (!this.over) {
            await this.stay().catch(() => {});
            this.closes++;
            await pause(50);
        }
    }

    async stay() {
        const { client } = await open(this.hub());
        if (!client)
            throw new Error('refused');
        this.client = client;
        try {
            const joined = await client.ok({ type: 'join', room: this.room, ...this.cursor && { since: this.cursor } }, 8000);
            if (joined.recovered === false)
                this.gaps++;
            this.isIn = true;
            this.cursor = joined.recovered ? this.cursor : joined.cursor;
            for (;;) {
                const { data, cursor } = await client.next(m => m.type === 'message', 3_600_000);
                this.seen.push(data);
                this.cursor = cursor;
            }
        } finally {
            this.isIn = false;
            client.terminate();
        }
    }
}

/** Publishes numbered messages, each again with its key until its outcome is known. */
class Writer {
    constructor(hubs, at, room, name, every) {
        Object.assign(this, { hubs, at, room, name, every, acked: [], refused: 0, over: false, n: 0 });
    }

    async run() {
        while (!this.over) {
            await this.write(`${this.name}-${this.n++}`);
            await pause(this.every);
        }
        this.client?.terminate();
    }

    async write(text) {
        for (let attempt = 0; attempt < 1000 && !this.stopped; attempt++) {
            try {
                this.client ??= await this.enter();
                const reply = await this.client.request({ type: 'publish', room: this.room, data: text, key: text, echo: false }, 20_000);
                if (reply.ok) {
                    this.acked.push(text);
                    return;
                }
                this.refused++;
                assert.equal(reply.error.code, 'unavailable');
            } catch {
                this.client?.terminate();
                this.client = null;
                this.at++;
            }
            await pause(50);
        }
    }

    async enter() {
        // as a user: a key is known again only from whom it came
        const { client } = await open(this.hubs[this.at % this.hubs.length], { token: tokenFor(this.name) });
        return client;
    }
}

/** What the nodes of a story need. */
export const AUTH = { 'auth-jwt': { secret: SECRET, anonymous: true } };
export const OPEN_ROOMS = [{ match: '*', join: 'anyone', publish: 'anyone', history: { messages: 10000, age: '1h' } }];

export class Story {
    constructor(hubs, { rooms = 3, every = 10 } = {}) {
        this.rooms = Array.from({ length: rooms }, (_, i) => `room-${i}`);
        this.readers = this.rooms.flatMap(room => hubs.map((_, at) => new Reader(hubs, at, room)));
        this.writers = this.rooms.flatMap((room, i) => hubs.map((_, at) => new Writer(hubs, at, room, `${i}.${at}`, every)));
    }

    async begin() {
        this.running = this.readers.map(reader => reader.run());
        await until(() => this.readers.every(({ isIn }) => isIn), 'all readers to be in their rooms', 20_000);
        this.writing = this.writers.map(writer => writer.run());
    }

    acked(n = 1) {
        const goals = new Map(this.writers.map(writer => [writer, writer.acked.length + n]));
        return until(() => [...goals].every(([writer, goal]) => writer.acked.length >= goal),
            () => `${n} more messages of each writer; have ${this.writers.map(w => w.acked.length)}, refused `
                + this.writers.map(w => w.refused), 60_000);
    }

    expected(room) {
        return this.writers.filter(writer => writer.room === room).flatMap(({ acked }) => acked);
    }

    missing(reader) {
        const seen = new Set(reader.seen);
        return this.expected(reader.room).filter(text => !seen.has(text));
    }

    /** Ends the writing and checks the promise; gives what was counted. */
    async end() {
        for (const writer of this.writers)
            writer.over = true;
        await Promise.all(this.writing);
        await until(() => this.readers.every(reader => reader.isIn && (reader.gaps > 0 || this.missing(reader).length === 0)),
            () => 'every reader to have everything or word of a gap: ' + this.readers.map(reader =>
                `${reader.isIn} ${reader.gaps} ${this.missing(reader).slice(0, 5)}…${this.missing(reader).length}`).join('; '),
            30_000);
        for (const reader of this.readers)
            reader.over = true;
        for (const reader of this.readers)
            this.check(reader);
        for (const reader of this.readers)
            reader.client?.terminate();
        await Promise.all(this.running);
        const sum = (list, f) => list.reduce((n, one) => n + f(one), 0);
        return {
            acked: sum(this.writers, w => w.acked.length), refused: sum(this.writers, w => w.refused),
            delivered: sum(this.readers, r => r.seen.length), gaps: sum(this.readers, r => r.gaps),
            missing: sum(this.readers, r => this.missing(r).length), closes: sum(this.readers, r => r.closes),
        };
    }

    /** Readers and writers go, whatever has happened: a test that fails must not hang. */
    stop() {
        for (const one of [...this.readers, ...this.writers]) {
            one.over = one.stopped = true;
            one.client?.terminate();
        }
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
