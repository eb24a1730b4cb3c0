// A client of hubbub's own protocol over WebSocket, made for tests: it keeps everything it was told,
// and waits for what a test names, with a deadline.
//
//     const alice = await connect(hub, { token: tokenFor('alice') });
//     await alice.ok({ type: 'join', room: 'lobby' });
//     const message = await alice.next(m => m.type === 'message');
import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { within } from './until.mjs';

export class Client {
    constructor(socket) {
        this.socket = socket;
        this.received = []; // everything, as it came
        this.unread = [];   // what next() has not taken; replies to request() are not in it
        this.waiting = [];
        this.pending = new Map();
        this.lastId = 0;
        this.end = null;    // {code, reason} once closed
        this.closed = new Promise(done => socket.once('close', (code, reason) => {
            this.end = { code, reason: reason.toString() };
            this.failWaiting();
            done(this.end);
        }));
        socket.on('error', () => {}); // told by open() or by `closed`
        socket.on('message', (data, isBinary) => this.onMessage(data, isBinary));
    }

    onMessage(data, isBinary) {
        const message = isBinary ? { type: 'binary', data } : JSON.parse(data);
        this.received.push(message);
        const asked = message.type === 'reply' && this.pending.get(message.id);
        if (asked) {
            this.pending.delete(message.id);
            asked.resolve(message);
            return;
        }
        const index = this.waiting.findIndex(({ matches }) => matches(message));
        if (index < 0)
            this.unread.push(message);
        else
            this.waiting.splice(index, 1)[0].resolve(message);
    }

    failWaiting() {
        const error = new Error(`closed (${this.end.code} ${this.end.reason}) while waiting`);
        for (const { reject } of [...this.waiting.splice(0), ...this.pending.values()])
            reject(error);
        this.pending.clear();
    }

    /** Sends an op, or text or a Buffer as it is; no reply is awaited. */
    send(op) {
        this.socket.send(typeof op === 'string' || Buffer.isBuffer(op) ? op : JSON.stringify(op));
    }

    /** Sends an op with an id (of its own or the next number); gives its reply, ok or not. */
    request(op, deadline) {
        const id = op.id ?? ++this.lastId;
        const replied = new Promise((resolve, reject) => {
            this.pending.set(id, { resolve, reject });
            if (this.end)
                this.failWaiting();
        });
        this.send({ ...op, id });
        return within(replied, () => `the reply to ${JSON.stringify(op).slice(0, 200)}`, deadline);
    }

    /** A request that must be answered ok. */
    async ok(op, deadline) {
        const reply = await this.request(op, deadline);
        assert.equal(reply.ok, true, `${JSON.stringify(op)}: ${JSON.stringify(reply)}`);
        return reply;
    }

    /** A request that must fail with this error code; gives the error. */
    async fails(op, code, deadline) {
        const reply = await this.request(op, deadline);
        assert.equal(reply.ok, false, `${JSON.stringify(op)}: ${JSON.stringify(reply)}`);
        assert.equal(reply.error.code, code, `${JSON.stringify(op)}: ${JSON.stringify(reply.error)}`);
        return reply.error;
    }

    join(room, more = {}) { return this.ok({ type: 'join', room, ...more }); }
    leave(room) { return this.ok({ type: 'leave', room }); }
    publish(room, data, more = {}) { return this.ok({ type: 'publish', room, data, ...more }); }

    /** The first unread message that matches, now or later; others stay unread. */
    next(matches = () => true, deadline) {
        const index = this.unread.findIndex(matches);
        if (index >= 0)
            return Promise.resolve(this.unread.splice(index, 1)[0]);
        if (this.end)
            return Promise.reject(new Error(`closed (${this.end.code} ${this.end.reason})`));
        const waiter = { matches };
        const matched = new Promise((resolve, reject) => Object.assign(waiter, { resolve, reject }));
        this.waiting.push(waiter);
        return within(matched, () => `a message that matches ${matches}; unread: `
            + JSON.stringify(this.unread.slice(-5)), deadline)
            .finally(() => { this.waiting = this.waiting.filter(other => other !== waiter); });
    }

    /** The next message published in a room. */
    nextMessage(room, deadline) {
        return this.next(m => m.type === 'message' && (room === undefined || m.room === room), deadline);
    }

    /** A barrier: once it resolves, what the server queued for this session before has been received. */
    sync() { return this.ok({ type: 'ping' }); }

    /** All messages of a room so far, read or not. */
    messages(room) {
        return this.received.filter(m => m.type === 'message' && (room === undefined || m.room === room));
    }

    /** Waits for the close; gives {code, reason, bye}. */
    async waitClose(deadline) {
        const end = await within(this.closed, 'the close', deadline);
        return { ...end, bye: this.received.find(m => m.type === 'bye') };
    }

    async close(code = 1000) {
        this.socket.close(code);
        return this.waitClose();
    }

    /** Drops the connection without a close frame. */
    terminate() { this.socket.terminate(); }

    /** Stops and goes on reading from the socket: a consumer that is slow. */
    pause() { this.socket.pause(); }
    resume() { this.socket.resume(); }
}

function address(target, { path = '/hub/ws', query }) {
    const base = typeof target === 'string' ? target : target.url(path, 'ws');
    return query ? `${base}?${new URLSearchParams(query)}` : base;
}

/**
 * open(hub or ws:// address, options) → {client} or {status, headers, body} when the upgrade is refused.
 * options: path, query, token (sent as Authorization), headers, origin, protocols, ws (options of ws).
 */
export function open(target, options = {}) {
    const { token, headers = {}, origin, protocols = ['hubbub.v1'], ws = {} } = options;
    const socket = new WebSocket(address(target, options), protocols, {
        perMessageDeflate: false,
        handshakeTimeout: 0,
        ...ws,
        ...origin && { origin },
        headers: { ...token !== undefined && { Authorization: `Bearer ${token}` }, ...headers },
    });
    const client = new Client(socket);
    const forget = () => target.clients?.delete(client);
    target.clients?.add(client);
    socket.once('close', forget);
    const opened = new Promise((resolve, reject) => {
        socket.once('open', () => resolve({ client }));
        socket.once('error', reject);
        socket.once('unexpected-response', (request, answer) => {
            const chunks = [];
            answer.on('data', chunk => chunks.push(chunk));
            answer.on('end', () => resolve({
                status: answer.statusCode, headers: answer.headers,
                body: Buffer.concat(chunks).toString(),
            }));
            forget();
        });
    });
    return within(opened, `a WebSocket to ${address(target, options)}`);
}

/** open(), which must succeed, and its welcome, which is left in client.welcome (welcome: false: no wait). */
export async function connect(target, options = {}) {
    const { client, status, body } = await open(target, options);
    assert.ok(client, `the upgrade was refused: ${status} ${body}`);
    if (options.welcome !== false)
        client.welcome = await client.next(m => m.type === 'welcome');
    return client;
}

/** open(), which must be refused before the upgrade with this status; gives the error body. */
export async function refused(target, status, options = {}) {
    const answer = await open(target, options);
    assert.equal(answer.status, status, `${answer.client ? 'it was accepted' : answer.body}`);
    return answer.body ? JSON.parse(answer.body).error : undefined;
}
