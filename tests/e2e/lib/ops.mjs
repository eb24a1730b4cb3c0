// The ops of a session that has no connection of its own to send them over: POST to send. Each goes
// over a connection of its own, so with several workers they arrive at any of them.
import assert from 'node:assert/strict';
import { fetchHttp } from './http.mjs';
import { Inbox } from './inbox.mjs';

export class OpsClient extends Inbox {
    constructor(base, { token, headers = {}, sendPath = '/hub/send' } = {}) {
        super();
        Object.assign(this, { base, sendPath, ticket: null, session: null, lastId: 0 });
        this.headers = { ...token !== undefined && { Authorization: `Bearer ${token}` }, ...headers };
    }

    /** A request to send, answered in whatever way: {status, json, …}. */
    send(body, { method = 'POST', ticket = this.ticket, headers = {} } = {}) {
        const proof = ticket === null ? {} : { 'Hub-Ticket': ticket };
        return fetchHttp(this.base + this.sendPath,
            { method, body, headers: { ...this.headers, ...proof, ...headers } });
    }

    /** Several ops in one request; gives the replies. */
    async sendAll(ops) {
        const answer = await this.send(ops);
        assert.equal(answer.status, 200, answer.text);
        return answer.json;
    }

    /** An op with an id (of its own or the next number); gives its reply, ok or not. */
    async request(op) {
        const [reply] = await this.sendAll({ ...op, id: op.id ?? ++this.lastId });
        return reply;
    }

    /** A request that must be answered ok. */
    async ok(op) {
        const reply = await this.request(op);
        assert.equal(reply.ok, true, `${JSON.stringify(op)}: ${JSON.stringify(reply)}`);
        return reply;
    }

    /** A request that must fail with this error code; gives the error. */
    async fails(op, code) {
        const reply = await this.request(op);
        assert.equal(reply.error?.code, code, `${JSON.stringify(op)}: ${JSON.stringify(reply)}`);
        return reply.error;
    }

    join(room, more = {}) { return this.ok({ type: 'join', room, ...more }); }
    leave(room) { return this.ok({ type: 'leave', room }); }
    publish(room, data, more = {}) { return this.ok({ type: 'publish', room, data, ...more }); }

    /** Ends the session at the server. */
    quit() { return this.send(undefined, { method: 'DELETE' }); }
}

/** '?room=a&room=b&cursor=…' from {rooms, cursor, …}; lists become repeated parameters. */
export function queryOf({ rooms = [], cursor, ...more }) {
    const query = new URLSearchParams();
    for (const room of [rooms].flat())
        query.append('room', room);
    for (const one of [cursor ?? []].flat())
        query.append('cursor', one);
    for (const [name, value] of Object.entries(more))
        query.append(name, value);
    return query.size > 0 ? `?${query}` : '';
}
