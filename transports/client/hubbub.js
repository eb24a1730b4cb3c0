// The client of hubbub's own protocol, version 1 (../PROTOCOL.md), for browsers and Node: an ES
// module without dependencies. hubbub.d.ts says what each part of it promises.
//
//     const hub = connect('https://example.com', { token });
//     hub.room('lobby').on('message', ({ data }) => show(data));
//     await hub.join('lobby');
//     await hub.publish('lobby', { text: 'hi' });
//
// A transport carries ops and events for one session. A room knows our position in its stream. The
// hub goes through transports and sessions as they come and go, and keeps its promises across them.

const WINDOW = 32;               // ops in flight
const TRIES = 10;                // of one op
const BATCH_CHARACTERS = 8_192;  // of one POST: well below the server's message_size
const EVENT_CHARACTERS = 1 << 24;
const HELD_MESSAGES = 10_000;    // of a room whose join is not answered yet
const SEND_TIME = 30_000;
const PROBE_TIME = 5_000;
const STABLE_TIME = 5_000;       // a connection that lasted so long was no failure
const DRAIN_TIME = 3_000;
const AVOID_TIME = 600_000;      // for a transport that failed where another one worked
const LONGEST_WAIT = 300_000;    // that a server may ask of us

const CLOSE_CODES = {
    1009: 'too_large', 1013: 'unavailable', 4001: 'unauthorized', 4003: 'forbidden',
    4008: 'slow_consumer', 4009: 'heartbeat_missed', 4029: 'rate_limited',
};
const STATUS_CODES =
    { 404: 'not_found', 413: 'too_large', 429: 'rate_limited', 503: 'unavailable' };
const UNAUTHORIZED = ['unauthorized', 'token_expired'];
const BUSY = ['rate_limited', 'unavailable'];
const PING = { text: '{"type":"ping","id":"alive"}' };
const DEFAULTS = {
    base: '/hub', transports: ['websocket', 'sse', 'longpoll'], credentials: 'same-origin',
    queue: 1000, timeout: 0, openTimeout: 8_000, grace: 10_000, minDelay: 500, maxDelay: 30_000,
};

export class HubError extends Error {
    constructor(code, message = code, details = {}) {
        super(message);
        Object.assign(this, { name: 'HubError', code }, details);
    }
}

const fromWire = ({ code = 'internal', message, retry_after: retryAfter, retry } = {}) =>
    new HubError(code, message, { retryAfter, retry });
const asError = cause =>
    cause instanceof HubError ? cause : new HubError('disconnected', cause?.message, { cause });
const pause = ms => new Promise(resolve => setTimeout(resolve, ms));
const isObject = value => typeof value === 'object' && value !== null;

// Exponential back-off with full jitter.
const jitter = (base, attempt, most) => Math.random() * Math.min(most, base * 2 ** attempt);

function parse(text) {
    try { return JSON.parse(text); } catch { return null; }
}

class Emitter {
    #listeners = [];

    on(type, listener) {
        this.#listeners = [...this.#listeners, { type, listener }];
        return () => this.off(type, listener);
    }

    off(type, listener) {
        this.#listeners = this.#listeners.filter(one =>
            one.type !== type || one.listener !== listener);
    }

    // A listener that throws is the application's fault: it stops neither the others nor us.
    _emit(type, event) {
        for (const one of this.#listeners.filter(each => each.type === type)) {
            try {
                one.listener(event);
            } catch (error) {
                (globalThis.reportError ?? console.error)(error);
            }
        }
    }
}

// ---- Transports: {send(ops), close(), end(), silence(heartbeat), pings}. Each tells its sink
// event(object), alive() at each sign of life, retry(ms) and, when it is over, lost(error). end()
// also ends the session at the server; silence() is how long none is normal; `pings`: it must ask.

function network(address, options) {
    const url = new URL(address ?? globalThis.location.href, globalThis.location?.href);
    url.protocol = url.protocol.replace(/^ws/, 'http');
    const base = url.origin + options.base.replace(/\/$/, '');
    const fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
    const common = { cache: 'no-store', credentials: options.credentials };
    return {
        base, WebSocket: 'WebSocket' in options ? options.WebSocket : globalThis.WebSocket,
        fetch: (path, init) => fetch(base + path, { ...common, ...init }),
    };
}

const bearer = token => token ? { Authorization: `Bearer ${token}` } : {};

function retryAfter(value) {
    const ms = /^\d+$/.test(value) ? value * 1000 : Date.parse(value) - Date.now();
    return ms >= 0 ? ms + Math.random() * 1000 : undefined;
}

// The error of an HTTP answer. A 401 or 403 without a body of hubbub's comes from some proxy.
async function refusal(response) {
    const error = (await response.json().catch(() => null))?.error;
    return new HubError(error?.code ?? STATUS_CODES[response.status] ?? 'disconnected',
        error?.message ?? `HTTP ${response.status}`,
        { status: response.status, retryAfter: retryAfter(response.headers.get('Retry-After')) });
}

class WebSocketLink {
    pings = true;

    constructor(net, token, sink) {
        const protocols = ['hubbub.v1', ...token ? [`hubbub.bearer.${token}`] : []];
        this.socket = new net.WebSocket(`${net.base.replace(/^http/, 'ws')}/ws`, protocols);
        this.socket.onmessage = ({ data }) => {
            sink.alive();
            sink.event(parse(data));
        };
        this.socket.onerror = () => {}; // onclose follows
        this.socket.onclose = ({ code, reason }) => sink.lost(
            new HubError(CLOSE_CODES[code] ?? 'disconnected', reason || `closed with ${code}`));
    }

    send(ops) { ops.forEach(op => this.socket.send(op.text)); }
    close() { this.socket.close(1000); }
    end() { this.close(); }
    silence(heartbeat) { return heartbeat; }
}

// What the two have in common that receive by GET: POST /send, one at a time to keep the order.
class HttpLink {
    ticket = null;
    #waiting = [];
    #isBusy = false;
    #controller = new AbortController();

    constructor(net, token, sink) {
        Object.assign(this, { net, sink });
        this.signal = this.#controller.signal;
        Promise.resolve(bearer(token)) // not before the constructors are through
            .then(headers => this.run(headers)).catch(error => sink.lost(asError(error)));
    }

    get credential() { return { 'Hub-Ticket': this.ticket }; }

    async request(path, init) {
        const response = await this.net.fetch(path, { ...init, signal: this.signal });
        if (!response.ok) throw await refusal(response);
        return response;
    }

    async send(ops) {
        this.#waiting.push(...ops);
        if (this.#isBusy) return;
        this.#isBusy = true;
        try {
            while (this.#waiting.length) await this.#post(this.#take());
        } catch (error) {
            this.sink.lost(asError(error));
        }
        this.#isBusy = false;
    }

    #take() {
        let size = 0;
        const rest = this.#waiting.findIndex(op => (size += op.text.length) > BATCH_CHARACTERS);
        return this.#waiting.splice(0, rest < 0 ? Infinity : Math.max(rest, 1));
    }

    async #post(ops, tries = 0) {
        const late = () => this.sink.lost(new HubError('timeout', 'no answer to a POST'));
        const timer = setTimeout(late, SEND_TIME);
        try {
            const headers = { 'Content-Type': 'application/json', ...this.credential };
            const body = `[${ops.map(op => op.text).join()}]`;
            const response = await this.request('/send', { method: 'POST', headers, body });
            (await response.json()).forEach(this.sink.event);
        } catch (error) {
            if (error.status === 413)
                return ops.forEach(({ id }) =>
                    this.sink.event({ type: 'reply', id, ok: false, error }));
            if (!BUSY.includes(error.code) || tries >= TRIES) throw error;
            await pause(error.retryAfter ?? jitter(1_000, tries, 30_000));
            return this.#post(ops, tries + 1);
        } finally {
            clearTimeout(timer);
        }
    }

    close() { this.#controller.abort(); }
    end() { this.close(); }
}

class SseLink extends HttpLink {
    silence(heartbeat) { return heartbeat; }

    async run(credential) {
        const headers = { Accept: 'text/event-stream', ...credential };
        const response = await this.request('/sse', { headers });
        if (!/^text\/event-stream/i.test(response.headers.get('Content-Type')))
            throw new HubError('disconnected', 'the answer is no event stream');
        const reader = response.body.getReader();
        const decoder = new TextDecoder();
        for (let text = ''; ;) {
            const { done, value } = await reader.read();
            if (done) throw new HubError('disconnected', 'the stream ended');
            this.sink.alive();
            // A CR at the end of a chunk waits for the LF that may follow it.
            const lines = (text + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r(?!$)/);
            text = lines.pop();
            lines.forEach(line => this.#take(line));
            if (text.length > EVENT_CHARACTERS)
                throw new HubError('disconnected', 'an event is too long');
        }
    }

    #data = '';

    #take(line) {
        const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
        if (field === 'data') this.#data += value;
        if (field === 'retry') this.sink.retry(Number(value));
        if (line !== '' || this.#data === '') return;
        const event = parse(this.#data);
        this.#data = '';
        this.ticket ??= event?.ticket; // of the welcome
        this.sink.event(event);
    }
}

class LongPollLink extends HttpLink {
    silence(heartbeat) { return Math.max(60_000, 2 * heartbeat); }

    async run(headers) {
        let answer = await this.#poll('', headers);
        this.ticket = answer.ticket;
        while (!this.signal.aborted) {
            this.sink.alive();
            answer.messages.forEach(this.sink.event);
            const asked = Date.now();
            answer = await this.#next(`?cursor=${encodeURIComponent(answer.cursor ?? '')}`);
            if (answer.messages.length === 0 && Date.now() - asked < 250)
                await pause(250); // one that did not wait must not make a busy loop
        }
    }

    async #poll(query, headers) {
        return (await this.request(`/poll${query}`, { headers })).json();
    }

    // An answer that got lost loses nothing: the same cursor asks for it again.
    async #next(query, failures = 0) {
        try {
            return await this.#poll(query, this.credential);
        } catch (error) {
            if (this.signal.aborted || failures >= 3 || error.status < 429) throw error;
            await pause(error.retryAfter ?? jitter(500, failures, 5_000));
            return this.#next(query, failures + 1);
        }
    }

    end() { // the linger time would, too
        this.close();
        const init = { method: 'DELETE', headers: this.credential, keepalive: true };
        if (this.ticket) this.net.fetch('/send', init).catch(() => {});
    }
}

const TRANSPORTS = { websocket: WebSocketLink, sse: SseLink, longpoll: LongPollLink };

export class Room extends Emitter {
    cursor = null;      // our position in its stream; null before a join, and without history
    members = 0;        // sessions in it, at the join
    joined = false;
    _wanted = false;    // to be joined anew in each session
    _known = false;     // was joined before: from now on, something can have been missed
    _held = null;       // what came before its join was settled; null: nothing is held
    _seen = null;       // cursors read from the history, of messages that may come as well
    _waiting = [];      // those who wait for the join

    constructor(hub, name) {
        super();
        Object.assign(this, { hub, name });
    }

    publish(data, options) { return this.hub.publish(this.name, data, options); }
    presence(options) { return this.hub.presence(this.name, options); }
    history(options) { return this.hub.history(this.name, options); }
    leave() { return this.hub.leave(this.name); }

    _reset(error) {
        Object.assign(this, { _wanted: false, _known: false, _held: null });
        Object.assign(this, { joined: false, cursor: null });
        this._waiting.splice(0).forEach(({ reject }) => reject(error));
    }
}

export function connect(address, options) {
    const isOptions = isObject(address) && !(address instanceof URL);
    return isOptions ? new Hub(undefined, address) : new Hub(address, options);
}

export class Hub extends Emitter {
    state = 'connecting';
    #options; #net; #token;
    #rooms = new Map();
    #ops = new Map();      // by id: all that are not answered, in the order in which they go out
    #lastId = 0;
    #keys = Array.from(crypto.getRandomValues(new Uint32Array(4)), n => n.toString(36)).join('');
    #link = null;          // the transport in use
    #turn = 0;             // what is heard counts while the turn is the one it began in
    #isReady = false;      // welcomed
    #isDraining = false;   // nothing new is sent
    #isExpired = false;
    #plan = [];            // transports still to be tried in this round
    #failed = [];          // those that were
    #avoided = new Map();  // name → until when
    #worked = new Set();   // names of those that did at some time
    #chosen; #timer; #watchdog; #unlisten;
    #attempts = 0; #refusals = 0; #retry = 0; #mayHurry = true;
    #heartbeat = 0; #seen = 0; #since = 0;

    constructor(address, options) {
        super();
        this.#options = { ...DEFAULTS, ...options };
        this.#net = network(address, this.#options);
        this.#token = this.#options.token;
        this.#unlisten = this.#listen();
        queueMicrotask(() => this.state !== 'closed' && this.#begin());
    }

    get transport() { return this.#isReady ? this.#link.name : null; }
    get pending() { return this.#ops.size; }

    room(name) {
        if (!this.#rooms.has(name)) this.#rooms.set(name, new Room(this, name));
        return this.#rooms.get(name);
    }

    async join(name, { data, since = null } = {}) {
        this.#mustBeOpen();
        const room = this.room(name);
        room._data = data ?? room._data;
        if (room.joined)
            return data === undefined ? room : this.presence(name, { data }).then(() => room);
        const joined = new Promise((resolve, reject) => room._waiting.push({ resolve, reject }));
        if (!room._wanted) {
            Object.assign(room, { _wanted: true, cursor: since });
            if (this.#isReady) this.#ask(room);
        }
        return joined;
    }

    async leave(name) {
        const room = this.room(name);
        const wasWanted = room._wanted;
        room._reset(new HubError('left', 'the room was left before it was joined'));
        room._data = undefined;
        if (wasWanted && this.#isReady) await this.#op({ type: 'leave', room: name });
    }

    publish(room, data = null, { event, echo, key = `${this.#keys}-${this.#lastId + 1}` } = {}) {
        return this.#op({ type: 'publish', room, event, data, echo, key: key ?? undefined });
    }

    presence(room, { data } = {}) {
        if (data !== undefined) this.room(room)._data = data;
        return this.#op({ type: 'presence', room, data });
    }

    history(room, { since, limit } = {}) {
        return this.#op({ type: 'history', room, since: since ?? undefined, limit });
    }

    async call(event, data = null) { return (await this.#op({ type: 'call', event, data })).data; }
    async ping() { await this.#op({ type: 'ping' }); }

    async refresh(token) {
        token ??= await this.#options.getToken?.();
        if (this.#isReady) await this.#op({ type: 'refresh', token });
        this.#token = token;
    }

    // The ops in flight are answered first, so that none is sent twice; the old session ends when
    // the new one has joined the rooms, so that nobody sees us leave.
    async switchTo(name = null) {
        this.#mustBeOpen();
        if (name !== null && !this.#options.transports.includes(name))
            throw new HubError('bad_request', `there is no transport ${name}`);
        this.#chosen = name;
        this.#avoided.delete(name);
        if (name !== null && name !== this.transport) {
            const old = this.#isReady ? this.#link : null;
            await this.#drain();
            this.#mustBeOpen();
            if (this.#chosen === name) {
                this.#detach();
                this.#begin();
            }
            await this.ping(); // answered after the joins
            old?.end();
        }
        return this.transport;
    }

    close() {
        this.#link?.end();
        this.#finish(null);
    }

    // ---- connecting: rounds over the transports, with rests between them

    #begin() {
        clearTimeout(this.#timer);
        this.#failed = [];
        this.#plan = this.#order();
        if (this.#plan.length) this.#open();
        else this.#finish(new HubError('unavailable', 'no transport can be used here'));
    }

    // The best first: the chosen one, those configured, those that failed where others worked. One
    // that worked before is at first tried alone: it is more likely that the server is away.
    #order() {
        const isAvoided = name => this.#avoided.get(name) > Date.now();
        const rank = name => isAvoided(name) ? 2 : name === this.#chosen ? 0 : 1;
        const names = this.#options.transports
            .filter(name => TRANSPORTS[name] && (name !== 'websocket' || this.#net.WebSocket))
            .sort((a, b) => rank(a) - rank(b));
        return this.#worked.has(names[0]) && this.#attempts < 2 ? [names[0]] : names;
    }

    async #open() {
        const turn = ++this.#turn;
        const name = this.#plan.shift();
        const heard = listener => value => { if (turn === this.#turn) listener(value); };
        const sink = {
            event: heard(message => this.#receive(message)),
            alive: heard(() => { this.#seen = Date.now(); }),
            retry: heard(ms => { this.#retry = ms >= 0 ? Math.min(ms, LONGEST_WAIT) : 0; }),
            lost: heard(error => this.#lost(error)),
        };
        this.#link = { name, close() {}, end() {} };
        this.#retry = 0;
        this.#isExpired = false;
        const late = () => sink.lost(new HubError('timeout', `no welcome by ${name}`));
        this.#timer = setTimeout(late, this.#options.openTimeout);
        this.#tell('connecting', { transport: name });
        try {
            const token = await (this.#options.getToken?.() ?? this.#token);
            if (turn === this.#turn)
                this.#link = Object.assign(new TRANSPORTS[name](this.#net, token, sink), { name });
        } catch (error) {
            sink.lost(asError(error));
        }
    }

    #welcome({ session, user, node, heartbeat }) {
        clearTimeout(this.#timer);
        Object.assign(this, { session, user, node });
        this.#heartbeat = Math.min(Math.max(heartbeat || 25_000, 100), LONGEST_WAIT);
        this.#since = this.#seen = Date.now();
        this.#refusals = 0;
        this.#worked.add(this.#link.name);
        this.#avoided.delete(this.#link.name);
        this.#failed.forEach(name => this.#avoid(name));
        const waiting = this.#ops; // goes out after the joins
        this.#ops = new Map();
        for (const room of this.#rooms.values())
            if (room._wanted && !room.name.startsWith('@')) this.#ask(room);
        waiting.forEach((op, id) => this.#ops.set(id, op));
        this.#isReady = true;
        this.#watch();
        this.#flush();
        this.#tell('online', { transport: this.#link.name });
    }

    // One that worked before may have failed because the server was just coming up.
    #avoid(name) {
        this.#avoided.set(name, Date.now() + AVOID_TIME / (this.#worked.has(name) ? 10 : 1));
    }

    #lost(error) {
        if (!this.#link) return; // a listener was quicker
        const { name } = this.#link;
        const wasReady = this.#isReady;
        const isRefused = UNAUTHORIZED.includes(error.code);
        if (wasReady && error.code === 'too_large') this.#dropLargest(error);
        this.#detach();
        if (wasReady && Date.now() - this.#since > STABLE_TIME) this.#attempts = 0;
        if (name === 'sse' && error.code === 'silent') // something on the way may keep it back
            this.#avoid(name);
        if (error.isFinal || error.code === 'forbidden'
            || isRefused && (!this.#options.getToken || ++this.#refusals > 2))
            return this.#finish(error);
        if (wasReady || isRefused || BUSY.includes(error.code)) return this.#rest(error);
        this.#failed.push(name);
        return this.#plan.length ? this.#open() : this.#rest(error);
    }

    // Closed for a message that is too long: sent again, it would only close the next session.
    #dropLargest(error) {
        const sent = this.#inFlight().sort((a, b) => b.text.length - a.text.length);
        if (sent.length) this.#done(sent[0]).reject(error);
    }

    #rest(error) {
        const { minDelay, maxDelay } = this.#options;
        const delay = this.#retry + jitter(minDelay, this.#attempts++, maxDelay);
        const retryIn = Math.min(error.retryAfter ?? delay, LONGEST_WAIT);
        this.#mayHurry = error.retryAfter === undefined;
        this.#timer = setTimeout(() => this.#begin(), retryIn);
        this.#tell('offline', { error, retryIn });
    }

    #detach() {
        this.#turn++;
        clearTimeout(this.#timer);
        clearTimeout(this.#watchdog);
        this.#link?.close();
        this.#link = null;
        this.#isReady = this.#isDraining = false;
        this.#recall();
    }

    #finish(error) {
        if (this.state === 'closed') return;
        const reason = error ?? new HubError('closed', 'the hub was closed');
        this.#detach();
        this.#unlisten();
        this.#ops.forEach(op => this.#done(op).reject(reason));
        this.#rooms.forEach(room => room._reset(reason));
        this.#tell('closed', { error });
    }

    #tell(state, details) {
        this.state = state;
        this._emit('state', { state, transport: null, error: null, ...details });
    }

    #mustBeOpen() {
        if (this.state === 'closed') throw new HubError('closed', 'the hub is closed');
    }

    // ---- signs of life

    #patience() { return this.#link.silence(this.#heartbeat) + this.#options.grace; }

    #watch() {
        const link = this.#link;
        const quiet = Date.now() - this.#seen;
        const most = this.#patience();
        const asks = link.pings && quiet >= this.#heartbeat;
        if (quiet >= most) return this.#lost(new HubError('silent', 'the server has gone silent'));
        if (asks) link.send([PING]);
        const next = (link.pings && !asks ? this.#heartbeat : most) - quiet;
        this.#watchdog = setTimeout(() => this.#watch(), next);
        return undefined;
    }

    // After what connections often don't survive: find out now, or try again now.
    #probe() {
        if (this.#isReady) {
            clearTimeout(this.#watchdog);
            if (this.#link.pings)
                this.#seen = Math.min(this.#seen, Date.now() - this.#patience() + PROBE_TIME);
            this.#watch();
        } else if (this.state === 'offline' && this.#mayHurry) {
            this.#begin();
        }
    }

    #listen() {
        if (typeof document === 'undefined') return () => {};
        const probe = () => document.visibilityState === 'visible' && this.#probe();
        const leave = () => { // a page that comes back from the cache connects again
            this.#link?.end();
            if (this.#link) this.#lost(new HubError('disconnected', 'the page was left'));
        };
        const controller = new AbortController();
        const { signal } = controller;
        window.addEventListener('online', probe, { signal });
        window.addEventListener('offline', probe, { signal });
        window.addEventListener('pagehide', leave, { signal });
        document.addEventListener('visibilitychange', probe, { signal });
        return () => controller.abort();
    }

    // ---- ops: sent in order, at most WINDOW at a time, kept until they are answered

    async #op(body) {
        this.#mustBeOpen();
        if (body.type !== 'join' && this.#ops.size >= this.#options.queue)
            throw new HubError('queue_full', 'too much is waiting to be sent');
        const id = ++this.#lastId;
        const op = { id, type: body.type, text: JSON.stringify({ ...body, id }), tries: 0 };
        op.answer = new Promise((resolve, reject) => Object.assign(op, { resolve, reject }));
        if (this.#options.timeout && op.type !== 'join')
            op.timer = setTimeout(() => this.#done(op).reject(new HubError('timeout', 'no answer')),
                this.#options.timeout);
        this.#ops.set(id, op);
        this.#flush();
        return op.answer;
    }

    #inFlight() { return [...this.#ops.values()].filter(op => op.isSent); }

    #done(op) {
        clearTimeout(op.timer);
        this.#ops.delete(op.id);
        return op;
    }

    #flush() {
        if (!this.#isReady || this.#isDraining) return;
        const due = [...this.#ops.values()].filter(op => !op.isResting).slice(0, WINDOW);
        const batch = due.filter(op => !op.isSent);
        batch.forEach(op => Object.assign(op, { isSent: true, tries: op.tries + 1 }));
        if (batch.length) this.#link.send(batch);
    }

    #settle(reply) {
        const op = this.#ops.get(reply.id);
        if (!op) return;
        const { code, retry, retry_after: retryIn } = reply.error ?? {};
        const mayRepeat = op.type === 'join' || op.type === 'publish' && retry === 'same key';
        if (reply.ok) this.#done(op).resolve(reply);
        else if (mayRepeat && BUSY.includes(code) && op.tries < TRIES)
            this.#repeat(op, retryIn ?? jitter(500, op.tries, 30_000));
        else this.#done(op).reject(fromWire(reply.error));
        this.#flush();
    }

    #repeat(op, delay) {
        Object.assign(op, { isSent: false, isResting: true });
        setTimeout(() => {
            op.isResting = false;
            this.#flush();
        }, Math.min(delay, LONGEST_WAIT));
    }

    // The session is gone. Joins are made anew from the rooms; what concerned the session only is
    // done; a call has no key and may have had its effect; the rest is sent again.
    #recall() {
        for (const op of this.#ops.values()) {
            if (op.type === 'join') this.#done(op);
            else if (op.type === 'leave' || op.type === 'refresh')
                this.#done(op).resolve({ ok: true });
            else if (op.isSent && (op.type === 'call' || op.tries >= TRIES))
                this.#done(op).reject(new HubError('disconnected', 'the answer was lost'));
            op.isSent = false;
        }
        for (const room of this.#rooms.values())
            Object.assign(room, { joined: false, _held: null, _seen: null });
    }

    #drain() {
        this.#isDraining = true;
        const answers = this.#inFlight().map(op => op.answer);
        return Promise.race([Promise.allSettled(answers), pause(DRAIN_TIME)]);
    }

    // ---- events

    #receive(message) {
        switch (isObject(message) ? message.type : null) {
        case 'welcome': return this.#isReady || this.#welcome(message);
        case 'reply': return this.#settle(message);
        case 'joined': return this.#place(message);
        case 'message':
        case 'presence': return this.#arrive(message);
        case 'bye': return this.#bye(message);
        case 'error':
            this.#isExpired ||= message.error?.code === 'token_expired';
            return this._emit('error', fromWire(message.error));
        case null: return this.#lost(new HubError('disconnected', 'the server sent no message'));
        default: return undefined; // of a later version
        }
    }

    #bye(message) {
        const close = CLOSE_CODES[message.code] ?? 'disconnected';
        const code = this.#isExpired ? 'token_expired' : close;
        const isFinal = message.reconnect === false && code !== 'token_expired';
        this._emit('bye', message);
        this.#lost(new HubError(code, message.reason, { retryAfter: message.delay, isFinal }));
    }

    #arrive(message) {
        const room = this.#rooms.get(message.room);
        if (message.event === 'token-expiring' && message.room === null && this.#options.getToken)
            this.refresh().catch(error => this._emit('error', asError(error)));
        if (!room) // null: to sessions, whatever their rooms
            return message.room === null && this._emit(message.type, message);
        if (!room._held) return this.#deliver(room, message);
        if (room._held.length >= HELD_MESSAGES)
            return this.#lost(new HubError('disconnected', 'too many messages before a reply'));
        return room._held.push(message);
    }

    #deliver(room, message) {
        if (!room._wanted || message.cursor && room._seen?.has(message.cursor)) return;
        room.cursor = message.cursor ?? room.cursor;
        this.#show(room, message.type, message);
    }

    #show(room, type, event) {
        room._emit(type, event);
        this._emit(type, event);
    }

    // ---- joining. By SSE and long polling, messages may overtake the reply to their join: they
    // are held, and further until those who wait for the join have had the time to listen.

    #ask(room) {
        const held = room._held = [];
        const since = room.cursor ?? undefined;
        const wasKnown = room._known;
        const join = { type: 'join', room: room.name, since, data: room._data };
        this.#op(join).then(reply => {
            if (room._held !== held)
                return; // left, or disconnected, meanwhile
            if (!reply.recovered) // else what came after `since` is still on its way
                room.cursor = reply.cursor ?? null;
            this.#admit(room, reply);
            const isGap = since ? reply.recovered === false : wasKnown;
            setTimeout(() => this.#release(room, held, isGap));
        }, error => room._held === held && this.#refuse(room, error));
    }

    #admit(room, { members = room.members, recovered }) {
        Object.assign(room, { members, joined: true, _wanted: true, _known: true });
        room._waiting.splice(0).forEach(({ resolve }) => resolve(room));
        this.#show(room, 'joined', { room: room.name, members, recovered });
    }

    #release(room, held, isGap) {
        if (room._held !== held) return;
        room._held = null;
        if (isGap) this.#show(room, 'gap', { room: room.name });
        held.forEach(message => this.#deliver(room, message));
    }

    #refuse(room, error) {
        if (error.code === 'conflict') // the server has joined us itself
            return this.#place({ room: room.name });
        const wasKnown = room._known;
        room._reset(error);
        return wasKnown && this.#show(room, 'left', { room: room.name, error });
    }

    // Joined by the server, which knows no `since` (a user's own room, for one): what was missed is
    // read from the history, page by page, while new messages are held.
    async #place({ room: name, ok, cursor = null, ...more }) {
        const room = this.room(name);
        if (ok === false || room.joined) return;
        const held = room._held = [...room._held ?? []];
        const seen = room._seen = new Set();
        let since = room.cursor, page = { more: since !== null && since !== cursor };
        room.cursor ??= cursor;
        this.#admit(room, more);
        while (page.more && room._held === held) {
            page = await this.history(name, { since, limit: 1000 })
                .catch(() => ({ recovered: false }));
            if (room._held !== held) return;
            for (const message of page.recovered === false ? [] : page.messages) {
                this.#deliver(room, { type: 'message', room: name, ...message });
                seen.add(message.cursor);
            }
            since = page.cursor;
        }
        if (page.recovered === false) room.cursor = cursor;
        this.#release(room, held, page.recovered === false);
    }
}
