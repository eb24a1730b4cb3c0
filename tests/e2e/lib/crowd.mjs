// A crowd of WebSocket clients in rooms, and traffic among them that is checked to the last message:
// what must go on while something else is done to the server.
//
//     const crowd = await gather(hub, { size: 1000, rooms: 50, token: i => tokenFor(`user-${i}`) });
//     crowd.start();
//     …
//     await crowd.stop();      // nobody was dropped, everybody has everything, in order
import assert from 'node:assert/strict';
import { connect } from './client.mjs';
import { until } from './until.mjs';

const AT_ONCE = 50; // connections that are opened together

class Crowd {
    constructor(hub, clients, rooms) {
        Object.assign(this, { hub, clients, rooms, running: false });
        this.sent = Array.from({ length: rooms }, () => 0);
        this.refused = 0; // publishes that the server did not take, and said so
    }

    room(i) { return `crowd-${i % this.rooms}`; }

    members(room) { return this.clients.filter((_, i) => i % this.rooms === room); }

    /** One of each room publishes numbers, one after the other, until stop(). */
    start() {
        this.running = true;
        this.publishing = Promise.all(this.sent.map((_, room) => this.publish(room)));
    }

    async publish(room) {
        const speaker = this.clients[room];
        while (this.running) {
            const reply = await speaker.request({ type: 'publish', room: this.room(room), event: 'crowd', data: this.sent[room] });
            if (reply.ok)
                this.sent[room]++;
            else
                this.refused++;
        }
    }

    /** Resolves once so many more messages were published. */
    async goesOn(more = 2 * this.rooms) {
        const total = () => this.sent.reduce((sum, n) => sum + n, 0), wanted = total() + more;
        await until(() => total() >= wanted, 'the traffic to go on');
    }

    numbers(client) { return client.received.filter(m => m.event === 'crowd').map(m => m.data); }

    async stop() {
        this.running = false;
        await this.publishing;
        for (let room = 0; room < this.rooms; room++)
            for (const client of this.members(room)) {
                assert.equal(client.end, null, `a client was dropped: ${JSON.stringify(client.end)}`);
                await until(() => this.numbers(client).length >= this.sent[room], `all messages of room ${room}`);
                const numbers = this.numbers(client);
                assert.ok(numbers.length === this.sent[room] && numbers.every((n, i) => n === i), `room ${room}: in order, each once`);
            }
    }
}

/** Connects so many clients and spreads them over rooms; token(i) is the credential of the ith. */
export async function gather(hub, { size, rooms, token }) {
    const clients = [];
    while (clients.length < size) {
        const next = Array.from({ length: Math.min(AT_ONCE, size - clients.length) }, (_, k) => clients.length + k);
        clients.push(...await Promise.all(next.map(async i => {
            const client = await connect(hub, { ...token && { token: token(i) } });
            await client.join(`crowd-${i % rooms}`);
            return client;
        })));
    }
    return new Crowd(hub, clients, rooms);
}
