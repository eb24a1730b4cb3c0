// A client of hubbub's own protocol over server-sent events, made for tests: it parses the stream as
// the HTML standard says, keeps everything, and waits for what a test names.
//
//     const alice = await connectSse(hub, { rooms: ['lobby'], token: tokenFor('alice') });
//     await alice.publish('lobby', 'hi');
//     const message = await alice.nextMessage('lobby');
//     const again = await connectSse(hub, { rooms: ['lobby'], lastEventId: alice.lastEventId });
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { OpsClient, queryOf } from './ops.mjs';
import { within } from './until.mjs';

export class EventStreamParser {
    constructor(sink) {
        Object.assign(this, { sink, rest: '', type: '', data: '', id: '', decoder: new TextDecoder() });
    }

    push(chunk) {
        this.rest += this.decoder.decode(chunk, { stream: true });
        const lines = this.rest.split(/\r\n|\n|\r(?!$)/); // a CR at the end waits for its LF
        this.rest = lines.pop();
        lines.forEach(line => this.line(line));
    }

    line(line) {
        if (line === '') {
            this.dispatch();
            return;
        }
        const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
        switch (field) {
        case '': this.sink.comment?.(value); break;
        case 'event': this.type = value; break;
        case 'data': this.data += `${value}\n`; break;
        case 'id': this.id = value; break;
        case 'retry': this.sink.retry?.(Number(value)); break;
        }
    }

    dispatch() {
        const { type, data, id } = this;
        Object.assign(this, { type: '', data: '' });
        if (data !== '')
            this.sink.event({ type: type || 'message', data: data.slice(0, -1), id });
    }
}

export class SseClient extends OpsClient {
    constructor(base, options) {
        super(base, options);
        Object.assign(this, { lastEventId: '', retry: null, comments: [], raw: '', events: [] });
        this.parser = new EventStreamParser({
            comment: text => this.comments.push(text),
            retry: ms => { this.retry = ms; },
            event: event => this.onEvent(event),
        });
    }

    onEvent(event) {
        this.events.push(event);
        this.lastEventId = event.id;
        const told = JSON.parse(event.data);
        assert.equal(event.type, told.type, 'the event is named by its type');
        if (told.type === 'welcome')
            Object.assign(this, { welcome: told, ticket: told.ticket, session: told.session });
        this.take(told);
    }

    adopt(answer) {
        this.answer = answer;
        this.closed = new Promise(done => answer.once('close', () => {
            this.finish('the stream ended');
            done();
        }));
        answer.on('error', () => {}); // told by `closed`
        answer.on('data', chunk => {
            this.raw += chunk;
            this.parser.push(chunk);
        });
    }

    waitClose(deadline) { return within(this.closed, 'the end of the stream', deadline); }

    /** Drops the connection. */
    terminate() { this.answer.destroy(); }

    /** Stops and goes on reading: a consumer that is slow. */
    pause() { this.answer.pause(); }
    resume() { this.answer.resume(); }
}

/**
 * openSse(hub or http:// base, options) → {client} or {status, headers, json} when it is refused.
 * options: rooms, cursor, query, token, headers, lastEventId, origin, path.
 */
export function openSse(target, options = {}) {
    const { rooms, cursor, query = {}, lastEventId, origin, path = '/hub/sse' } = options;
    const base = typeof target === 'string' ? target : target.base;
    const client = new SseClient(base, options);
    const url = base + path + queryOf({ rooms, cursor, ...query });
    const headers = {
        ...client.headers, Accept: 'text/event-stream',
        ...lastEventId !== undefined && { 'Last-Event-ID': lastEventId },
        ...origin && { Origin: origin },
    };
    const opened = new Promise((resolve, reject) => {
        const outgoing = request(url, { agent: false, headers });
        outgoing.on('error', reject);
        outgoing.on('response', answer => {
            const { statusCode: status } = answer;
            if (status === 200) {
                client.adopt(answer);
                client.head = answer.headers;
                target.clients?.add(client);
                client.closed.then(() => target.clients?.delete(client));
                resolve({ client });
                return;
            }
            let text = '';
            answer.on('data', chunk => { text += chunk; });
            answer.on('end', () =>
                resolve({ status, headers: answer.headers, text, json: JSON.parse(text) }));
        });
        outgoing.end();
    });
    return within(opened, `the answer to ${url}`);
}

/** openSse(), which must succeed, and its welcome and a joined for each room, left in client.joined. */
export async function connectSse(target, options = {}) {
    const { client, status, text } = await openSse(target, options);
    assert.ok(client, `refused: ${status} ${text}`);
    await client.next(m => m.type === 'welcome');
    client.joined = {};
    for (const room of new Set([options.rooms ?? []].flat()))
        client.joined[room] = await client.next(m => m.type === 'joined' && m.room === room);
    return client;
}

/** openSse(), which must be refused with this status; gives the error. */
export async function refusedSse(target, status, options = {}) {
    const answer = await openSse(target, options);
    answer.client?.terminate();
    assert.equal(answer.status, status, answer.client ? 'it was accepted' : answer.text);
    return answer.json.error;
}
