// A small hubbub in Node: enough of the protocol for tests of the client, and faults on demand that
// a real server can't be asked for. One process, no limits, no care for speed.
//
//     const mock = await startMock(t, { heartbeat: 1000 });
//     mock.off.add('websocket');              // transports that are refused
//     mock.mute.add('sse');                   // accepted, but nothing comes: a proxy that buffers
//     mock.answer = { status: 429, retryAfter: 1 };  // to whoever opens a session
//     mock.loseReplies = 1;                   // ops that are done, and cut before they are answered
//     mock.cut();                             // all connections, without a word
//
// A token is the user's name; 'bad' is refused, and what is in mock.expired has expired.
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { freePort, releasePort } from './ports.mjs';

const tree = fileURLToPath(new URL('../../..', import.meta.url));
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css',
    '.svg': 'image/svg+xml' };
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    + "img-src 'self'; base-uri 'none'; form-action 'none'";

const secret = () => randomBytes(16).toString('hex');
const encode = value => Buffer.from(JSON.stringify(value)).toString('base64url');

function decode(cursor) {
    try {
        return JSON.parse(Buffer.from(cursor, 'base64url'));
    } catch {
        return null;
    }
}

class Room {
    life = secret().slice(0, 8);
    last = 0;           // sequence number of the newest message
    messages = [];
    keys = new Map();
    members = new Map(); // session → presence data

    constructor(name, limit) {
        Object.assign(this, { name, limit });
    }

    cursor(at = this.last) { return this.limit ? encode({ [this.name]: [this.life, at] }) : undefined; }

    // The messages after a cursor; null when some of them are gone, or it is not of this room.
    after(cursor) {
        const [life, at] = decode(cursor)?.[this.name] ?? [];
        const isHeld = life === this.life && at <= this.last && at >= this.last - this.messages.length;
        return isHeld ? this.messages.slice(this.messages.length - (this.last - at)) : null;
    }

    add(message) {
        this.last++;
        const added = { type: 'message', room: this.name, ...message, ts: Date.now(), cursor: this.cursor() };
        this.messages = this.limit ? [...this.messages, added].slice(-this.limit) : [];
        return added;
    }

    send(message, except) {
        for (const session of this.members.keys())
            if (session !== except)
                session.push(message);
    }

    users() {
        const users = new Map();
        for (const [{ user }, data] of this.members)
            if (user) {
                const entry = users.get(user) ?? { user, sessions: 0, since: 0, data: null };
                users.set(user, { ...entry, sessions: entry.sessions + 1, data: data ?? entry.data });
            }
        return [...users.values()];
    }
}

class Session {
    id = secret().slice(0, 12);
    ticket = secret();
    rooms = new Set();
    isOver = false;

    constructor(mock, transport, user) {
        Object.assign(this, { mock, transport, user });
        mock.sessions.add(this);
    }

    // push(message) and cut() are the transport's.

    begin() {
        const { id, ticket, user } = this;
        const { heartbeat } = this.mock;
        this.push({ type: 'welcome', session: id, ticket, user, node: 'mock', heartbeat });
        if (user) {
            const own = this.mock.room(`@${user}`);
            own.members.set(this, null);
            this.rooms.add(own);
            this.push({ type: 'joined', room: own.name, cursor: own.cursor(), members: own.members.size });
        }
    }

    end() {
        this.isOver = true;
        this.mock.sessions.delete(this);
        for (const room of this.rooms)
            this.mock.leave(this, room);
    }

    bye(message) {
        this.push({ type: 'bye', code: 1001, reason: 'draining', reconnect: true, ...message });
        this.mock.ended.add(this); // a poll may still ask for it
        this.finish?.(message.code ?? 1001);
        this.end();
    }
}

const fail = (code, more = {}) => { throw Object.assign(new Error(code), { code, more }); };

const ops = {
    ping: () => ({}),
    refresh: (mock, session, { token }) => {
        if (token === 'bad' || mock.expired.has(token))
            fail('unauthorized');
        if (token !== session.user)
            fail('forbidden');
        return {};
    },
    join: (mock, session, { room: name, since, data }) => {
        if (mock.forbidden.has(name) || name.startsWith('@'))
            fail(session.user ? 'forbidden' : 'unauthorized');
        const room = mock.room(name);
        if (room.members.has(session) && since !== undefined)
            fail('conflict');
        const missed = since === undefined ? undefined : room.after(since);
        const isNew = !room.members.has(session);
        session.rooms.add(room);
        room.members.set(session, data);
        const sync = { type: 'presence', room: name, event: 'sync', users: room.users() };
        session.after = () => [...missed ?? [], sync].forEach(message => session.push(message));
        if (isNew && session.user)
            room.send({ type: 'presence', room: name, event: 'join', user: session.user,
                session: session.id, data }, session);
        return { cursor: room.cursor(), members: room.members.size,
            ...since !== undefined && { recovered: missed !== null } };
    },
    leave: (mock, session, { room }) => {
        mock.leave(session, mock.room(room));
        return {};
    },
    publish: (mock, session, { room: name, event = 'message', data = null, echo = true, key }) => {
        const room = mock.room(name);
        if (!room.members.has(session))
            fail('forbidden');
        const owner = `${session.user ?? session.ticket} ${key}`;
        if (key && room.keys.has(owner))
            return room.keys.get(owner);
        const message = room.add({ event, data, user: session.user });
        const reply = { cursor: message.cursor, ts: message.ts };
        if (key)
            room.keys.set(owner, reply);
        mock.published.push(message);
        room.send(message, echo ? null : session);
        return reply;
    },
    presence: (mock, session, { room: name, data }) => {
        const room = mock.room(name);
        if (!room.members.has(session))
            fail('forbidden');
        if (data !== undefined) {
            room.members.set(session, data);
            room.send({ type: 'presence', room: name, event: 'update', user: session.user, data }, session);
        }
        return { users: room.users(), count: room.users().length };
    },
    history: (mock, session, { room: name, since, limit = 50 }) => {
        const room = mock.room(name);
        const after = since === undefined ? room.messages.slice(-limit) : room.after(since);
        const messages = (after ?? []).slice(0, limit);
        return { messages, cursor: messages.at(-1)?.cursor ?? room.cursor(),
            more: (after ?? []).length > limit, ...since !== undefined && { recovered: after !== null } };
    },
    call: (mock, session, { event, data }) => event === 'echo' ? { data } : fail('not_found'),
};

export class Mock {
    sessions = new Set();
    ended = new Set();
    rooms = new Map();
    published = [];
    requests = [];          // {method, path, headers} of all HTTP requests
    off = new Set();
    mute = new Set();
    expired = new Set();
    forbidden = new Set();
    failures = [];          // errors for the next ops, e.g. {code: 'rate_limited', retry_after: 50}
    answer = null;
    loseReplies = 0;
    replyDelay = 0;         // of POST /send
    historyLimit = 100;
    retry = null;
    polls = 25_000;
    maxBody = 65_536;

    constructor(options) {
        Object.assign(this, { heartbeat: 25_000 }, options);
        this.server = createServer((request, response) => this.route(request, response)
            .catch(error => this.refuse(response, error)));
        this.sockets = new Set();
        this.server.on('connection', socket => {
            this.sockets.add(socket);
            socket.on('close', () => this.sockets.delete(socket));
        });
        const websockets = new WebSocketServer({ noServer: true, maxPayload: this.maxBody,
            handleProtocols: offered => offered.has('hubbub.v1') && 'hubbub.v1' });
        this.server.on('upgrade', (request, socket, head) => this.upgrade(websockets, request, socket, head));
    }

    get base() { return `http://127.0.0.1:${this.port}`; }

    async listen(port) {
        this.port = port ?? this.port;
        await new Promise(resolve => this.server.listen(this.port, '127.0.0.1', resolve));
    }

    /** Nobody listens until listen() is called again; sessions end. */
    async stop() {
        const closed = new Promise(resolve => this.server.close(resolve));
        this.cut();
        await closed;
    }

    cut() {
        [...this.sessions].forEach(session => session.end());
        this.sockets.forEach(socket => socket.destroy());
    }

    /** All sessions get this bye and are closed. */
    bye(message) { [...this.sessions].forEach(session => session.bye(message)); }

    /** A message of the server's. */
    publish(name, data, event = 'message') {
        const room = this.room(name);
        const message = room.add({ event, data, user: null });
        room.send(message);
        return message;
    }

    room(name) {
        if (!this.rooms.has(name))
            this.rooms.set(name, new Room(name, this.historyLimit));
        return this.rooms.get(name);
    }

    leave(session, room) {
        if (!room.members.delete(session))
            return;
        session.rooms.delete(room);
        if (session.user && !room.users().some(({ user }) => user === session.user))
            room.send({ type: 'presence', room: room.name, event: 'leave', user: session.user,
                session: session.id });
    }

    /** Does one op; gives its reply, or null when the connection was cut instead. */
    operate(session, op) {
        const { id } = op;
        const planned = this.failures.shift();
        try {
            if (planned)
                fail(planned.code, planned);
            const more = (ops[op.type] ?? (() => fail('unknown_type')))(this, session, op);
            if (this.loseReplies > 0 && op.type !== 'join') {
                this.loseReplies--;
                session.cut();
                return null;
            }
            return { type: 'reply', id, ok: true, ...more };
        } catch (error) {
            if (!error.code)
                throw error;
            return { type: 'reply', id, ok: false, error: { ...error.more, code: error.code, message: error.code } };
        }
    }

    // ---- HTTP

    userOf(request) {
        const offered = /hubbub\.bearer\.([^,\s]+)/.exec(request.headers['sec-websocket-protocol'] ?? '');
        const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? offered?.[1];
        if (token === 'bad')
            throw { status: 401, code: 'unauthorized' };
        if (this.expired.has(token))
            throw { status: 401, code: 'token_expired' };
        return token ?? null;
    }

    mayOpen(request, transport) {
        if (this.off.has(transport))
            throw { status: 404, code: 'not_found' };
        if (this.answer)
            throw { code: 'unavailable', ...this.answer };
        return this.userOf(request);
    }

    refuse(response, { status = 500, code = 'internal', retryAfter, body, stack }) {
        if (stack)
            console.error(stack);
        response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store',
            ...retryAfter !== undefined && { 'Retry-After': String(retryAfter) } });
        response.end(body ?? JSON.stringify({ error: { code, message: code } }));
    }

    async route(request, response) {
        const url = new URL(request.url, this.base);
        const { method, headers } = request;
        this.requests.push({ method, path: url.pathname, url: request.url, headers });
        const find = () => [...this.sessions, ...this.ended].find(({ ticket }) => ticket === headers['hub-ticket']);
        switch (`${method} ${url.pathname}`) {
        case 'GET /hub/sse': return this.sse(request, response);
        case 'GET /hub/poll':
            return headers['hub-ticket'] ? this.poll(find(), url, response) : this.openPoll(request, response);
        case 'POST /hub/send': return this.send(find(), request, response);
        case 'DELETE /hub/send':
            find()?.end();
            return response.writeHead(204).end();
        case 'GET /hub/client.js': return this.file('transports/client/hubbub.js', response);
        default: return this.file(join('examples/chat', normalize(url.pathname.replace(/\/$/, '/index.html'))), response);
        }
    }

    async file(path, response) {
        const bytes = await readFile(join(tree, path)).catch(() => { throw { status: 404, code: 'not_found' }; });
        response.writeHead(200, { 'Content-Type': TYPES[extname(path)] ?? 'text/plain',
            'Content-Security-Policy': CSP, 'Cache-Control': 'no-store' });
        response.end(bytes);
    }

    async send(session, request, response) {
        let body = '';
        for await (const chunk of request)
            body += chunk;
        if (this.answer?.send)
            throw { code: 'unavailable', ...this.answer };
        if (body.length > this.maxBody)
            throw { status: 413, code: 'too_large' };
        if (!session)
            throw { status: 404, code: 'not_found' };
        const replies = [];
        for (const op of [JSON.parse(body)].flat()) {
            session.after = null;
            const reply = this.operate(session, op);
            if (!reply)
                return;
            replies.push(reply);
            session.after?.(); // overtakes the reply, as it may
        }
        await new Promise(resolve => setTimeout(resolve, this.replyDelay));
        response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(replies));
    }

    sse(request, response) {
        const session = new Session(this, 'sse', this.mayOpen(request, 'sse'));
        response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
        response.flushHeaders();
        const write = text => this.mute.has('sse') || response.write(text);
        session.push = message => write(`event: ${message.type}\ndata: ${JSON.stringify(message)}\n\n`);
        session.cut = () => response.destroy();
        session.finish = () => response.end();
        const beat = setInterval(() => write(': \n\n'), this.heartbeat);
        response.on('close', () => {
            clearInterval(beat);
            session.end();
        });
        if (this.retry !== null)
            write(`retry: ${this.retry}\n\n`);
        session.begin();
    }

    openPoll(request, response) {
        const session = new Session(this, 'longpoll', this.mayOpen(request, 'longpoll'));
        Object.assign(session, { queue: [], answered: 0, first: 0, waiting: null });
        session.push = message => {
            session.queue.push(message);
            session.waiting?.();
        };
        session.cut = () => { this.sockets.forEach(socket => socket.destroy()); };
        session.begin();
        this.answerPoll(session, response, { session: session.id, ticket: session.ticket });
    }

    // The queue from `first` on is not acknowledged; an answer's cursor says how far it went.
    answerPoll(session, response, more = {}) {
        session.waiting = null;
        const cursor = encode({ poll: session.first + session.queue.length });
        response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
        response.end(JSON.stringify({ session: session.id, ...more, cursor, messages: session.queue }));
    }

    async poll(session, url, response) {
        if (this.answer?.poll)
            throw { ...this.answer };
        if (!session)
            throw { status: 404, code: 'not_found' };
        const { poll: received } = decode(url.searchParams.get('cursor'));
        session.queue.splice(0, received - session.first);
        session.first = received;
        session.waiting?.();
        if (!session.queue.length) {
            const timer = setTimeout(() => session.waiting?.(), this.polls);
            await new Promise(resolve => { session.waiting = resolve; response.on('close', resolve); });
            clearTimeout(timer);
        }
        this.answerPoll(session, response);
    }

    // ---- WebSocket

    upgrade(websockets, request, socket, head) {
        let user;
        try {
            user = this.mayOpen(request, 'websocket');
        } catch ({ status }) {
            socket.end(`HTTP/1.1 ${status} No\r\nConnection: close\r\n\r\n`);
            return;
        }
        websockets.handleUpgrade(request, socket, head, ws => {
            const session = new Session(this, 'websocket', user);
            session.push = message => this.mute.has('websocket') || ws.send(JSON.stringify(message));
            session.cut = () => ws.terminate();
            session.finish = code => ws.close(code);
            ws.on('error', () => {});
            ws.on('close', () => session.end());
            ws.on('message', text => {
                session.after = null;
                const reply = session.isOver ? null : this.operate(session, JSON.parse(text));
                if (!reply)
                    return;
                session.push(reply);
                session.after?.();
            });
            session.begin();
        });
    }
}

/** Starts a mock for test `t` (or a whole file: pass {after} of node:test). */
export async function startMock(t, options = {}) {
    const mock = new Mock(options);
    const port = options.port ?? await freePort();
    await mock.listen(port);
    t.after(async () => {
        await mock.stop();
        releasePort(port);
    });
    return mock;
}
