// A client of hubbub's own protocol over long polls, made for tests. Each poll goes over a connection
// of its own, so with several workers they arrive at any of them.
//
//     const alice = await connectPoll(hub, { rooms: ['lobby'] });   // polls on by itself
//     const message = await alice.nextMessage('lobby');
//     const bob = await connectPoll(hub, { rooms: ['lobby'], run: false });
//     const { messages } = await bob.poll();                        // one by one
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { OpsClient, queryOf } from './ops.mjs';
import { within } from './until.mjs';

const POLL_DEADLINE_MS = 40_000;

export class PollClient extends OpsClient {
    constructor(base, options = {}) {
        super(base, options);
        Object.assign(this, { cursor: null, answers: [], under: new Set(), stopped: false });
        this.path = options.path ?? '/hub/poll';
        this.origin = options.origin;
        this.agent = options.agent ?? false;
    }

    /** A request to poll, answered in whatever way: {status, headers, text, json}. */
    ask(query = '', { method = 'GET', headers = {}, body } = {}) {
        const type = body === undefined ? {} : { 'Content-Type': 'application/json' };
        const all = { ...this.headers, ...this.origin && { Origin: this.origin }, ...type, ...headers };
        const answered = new Promise((resolve, reject) => {
            const outgoing = request(this.base + this.path + query,
                { method, agent: this.agent, headers: all }, answer => {
                    let text = '';
                    answer.setEncoding('utf8');
                    answer.on('data', chunk => { text += chunk; });
                    answer.on('error', reject);
                    answer.on('end', () => resolve({
                        status: answer.statusCode, headers: answer.headers, text,
                        json: text ? JSON.parse(text) : undefined,
                    }));
                });
            outgoing.on('error', reject);
            this.under.add(outgoing);
            outgoing.once('close', () => this.under.delete(outgoing));
            outgoing.end(body === undefined ? undefined : JSON.stringify(body));
        });
        return within(answered, `the answer to a poll${query.slice(0, 80)}`, POLL_DEADLINE_MS);
    }

    /** A poll with the ticket and the cursor of the last answer, or others; whatever the answer. */
    tryPoll({ ticket = this.ticket, cursor = this.cursor, rooms } = {}) {
        return this.ask(queryOf({ rooms, cursor: cursor ?? undefined }), { headers: { 'Hub-Ticket': ticket } });
    }

    /** The same, which must be answered with 200; what it brought is taken in. */
    async poll(options) {
        const answer = await this.tryPoll(options);
        assert.equal(answer.status, 200, answer.text);
        this.accept(answer.json);
        return answer.json;
    }

    accept(answer) {
        this.answers.push(answer);
        this.cursor = answer.cursor;
        this.session = answer.session;
        this.ticket = answer.ticket ?? this.ticket;
        for (const message of answer.messages) {
            if (message.type === 'welcome')
                this.welcome = message;
            this.take(message);
        }
    }

    /** Polls until stop(), an error status, or the end of its bye. */
    run() {
        this.running = (async () => {
            while (!this.stopped) {
                const answer = await this.tryPoll();
                if (this.stopped)
                    return;
                if (answer.status !== 200) {
                    this.finish(`status ${answer.status}`);
                    return;
                }
                this.accept(answer.json);
            }
        })().catch(error => this.finish(error.message));
    }

    /** Stops polling; what is under way is dropped, as a client does that goes away. */
    terminate() {
        this.stopped = true;
        for (const outgoing of this.under)
            outgoing.destroy();
        this.finish('it was stopped');
    }
}

/** openPoll(hub or http:// base, options) → {client} or the refusing answer. options: rooms, cursor,
 * query, token, headers, origin, path, post (by POST). */
export async function openPoll(target, options = {}) {
    const { rooms, cursor, query, post } = options;
    const client = new PollClient(typeof target === 'string' ? target : target.base, options);
    const answer = await (post ? client.ask('', { method: 'POST', body: { rooms, cursor } })
        : client.ask(queryOf({ rooms, cursor, ...query })));
    if (answer.status !== 200)
        return answer;
    client.head = answer.headers;
    client.accept(answer.json);
    target.clients?.add(client);
    return { client };
}

/** openPoll(), which must succeed; client.joined holds what was told of each room. `run: false`: the
 * test polls by itself. */
export async function connectPoll(target, options = {}) {
    const { client, status, text } = await openPoll(target, options);
    assert.ok(client, `refused: ${status} ${text}`);
    await client.next(m => m.type === 'welcome');
    client.joined = {};
    for (const room of new Set([options.rooms ?? []].flat()))
        client.joined[room] = await client.next(m => m.type === 'joined' && m.room === room);
    if (options.run !== false)
        client.run();
    return client;
}

/** openPoll(), which must be refused with this status; gives the error. */
export async function refusedPoll(target, status, options = {}) {
    const answer = await openPoll(target, options);
    assert.equal(answer.status, status, answer.client ? 'it was accepted' : answer.text);
    return answer.json.error;
}
