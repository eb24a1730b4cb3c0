// The three transports of the native protocol beside each other: one order, one set of cursors.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import test from 'node:test';
import { connect } from './lib/client.mjs';
import { fetchHttp } from './lib/http.mjs';
import { SECRET, tokenFor } from './lib/jwt.mjs';
import { connectPoll } from './lib/poll.mjs';
import { startCutter, startHaproxy, startNginx } from './lib/proxies.mjs';
import { startHub } from './lib/server.mjs';
import { connectSse } from './lib/sse.mjs';
import { scaled, until, within } from './lib/until.mjs';

const keeping = (messages, more = {}) => ({
    rooms: [{ match: '*', join: 'anyone', publish: 'anyone', history: { messages, age: '5m' } }], ...more,
});
const ws = base => base.replace(/^http/, 'ws');

// A reader of one room over each transport, that goes on where another one stopped: next() gives
// messages, each with what resumes after it under `after`.
const readers = {
    async websocket(base, room, since) {
        const client = await connect(`${ws(base)}/hub/ws`);
        const reply = await client.join(room, since === undefined ? {} : { since });
        return {
            after: reply.cursor, recovered: reply.recovered, terminate: () => client.terminate(), client,
            async next() {
                const message = await client.nextMessage(room);
                return { ...message, after: message.cursor };
            },
        };
    },
    async sse(base, room, since) {
        const client = await connectSse(base, { rooms: [room], lastEventId: since });
        return {
            after: client.lastEventId, recovered: client.joined[room].recovered,
            terminate: () => client.terminate(), client,
            async next() {
                const message = await client.nextMessage(room);
                const at = client.events.findIndex(e => JSON.parse(e.data).cursor === message.cursor);
                return { ...message, after: client.events[at].id };
            },
        };
    },
    async longpoll(base, room, since) {
        const client = await connectPoll(base, { rooms: [room], cursor: since, run: false });
        const unread = [];
        return {
            after: client.cursor, recovered: client.joined[room].recovered,
            terminate: () => client.terminate(), client,
            // An answer is taken whole or not at all: only its last message has its cursor.
            async next() {
                while (unread.length === 0)
                    unread.push(...(await client.poll()).messages.filter(m => m.type === 'message'));
                const message = unread.shift();
                return { ...message, after: unread.length === 0 ? client.cursor : message.cursor };
            },
        };
    },
};

test('WebSocket, event stream and long poll see one order', async t => {
    const hub = await startHub(t, keeping(1000, { workers: 4 }));
    const clients = [];
    for (let i = 0; i < 4; i++)
        clients.push(await connect(hub), await connectSse(hub, { rooms: ['r'] }),
            await connectPoll(hub, { rooms: ['r'] }));
    for (let i = 0; i < 12; i += 3)
        await clients[i].join('r');
    await Promise.all(clients.map(async (client, k) => {
        for (let i = 0; i < 20; i++)
            await client.publish('r', `${k}/${i}`);
    }));
    for (const client of clients)
        await until(() => client.messages('r').length === 240, '240 messages');
    const seen = client => client.messages('r').map(m => `${m.data} ${m.cursor}`);
    for (const client of clients)
        assert.deepEqual(seen(client), seen(clients[0]));
    assert.equal(new Set(seen(clients[0])).size, 240);
});

// curl, its output as it comes; killed when the test ends.
function curl(t, ...args) {
    const child = spawn('curl', ['-s', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    const run = { text: '', ended: new Promise(done => child.once('close', done)) };
    child.stdout.on('data', chunk => { run.text += chunk; });
    t.after(() => child.kill('SIGKILL'));
    return run;
}

test('curl -N and a loop of curl see what a WebSocket sees', async t => {
    const hub = await startHub(t, keeping(1000));
    const client = await connect(hub);
    await client.join('r');
    const stream = curl(t, '-N', hub.url('/hub/sse?room=r'));
    await until(() => stream.text.includes('event: joined'), 'curl -N to be in the room');
    const fetched = [];
    let query = 'room=r', ticket = '';
    const poll = async () => {
        const run = curl(t, '-H', `Hub-Ticket: ${ticket}`, hub.url(`/hub/poll?${query}`));
        await within(run.ended, 'curl to end');
        const answer = JSON.parse(run.text);
        ticket = answer.ticket ?? ticket;
        query = `cursor=${answer.cursor}`;
        fetched.push(...answer.messages.filter(m => m.type === 'message').map(m => m.data));
    };
    await poll();
    const polling = (async () => { while (fetched.length < 50) await poll(); })();
    for (let i = 0; i < 50; i++)
        await client.publish('r', i);
    await polling;
    const numbers = Array.from({ length: 50 }, (_, i) => i);
    const streamed = () => [...stream.text.matchAll(/"event":"message","data":(\d+)/g)].map(m => Number(m[1]));
    await until(() => streamed().length === 50, 'curl -N to have all');
    assert.deepEqual(fetched, numbers);
    assert.deepEqual(streamed(), numbers);
});

test('a reader that changes its transport at each of 1,000 messages misses and repeats nothing', async t => {
    const hub = await startHub(t, keeping(1000, { workers: 4 }));
    const count = 1000, writer = await connect(hub);
    const names = Object.keys(readers);
    const got = [];
    let since, published = 0;
    ({ cursor: since } = await writer.join('r'));
    while (got.length < count) {
        // Sometimes the message is there before the reader, sometimes after it, sometimes several are.
        const lead = got.length % 4;
        while (published < Math.min(count, got.length + lead))
            await writer.publish('r', published++);
        const name = names[(got.length * 7 + Math.floor(got.length / 5)) % 3];
        const reader = await readers[name](hub.base, 'r', since);
        assert.equal(reader.recovered, true, `${name} at ${got.length}`);
        if (published === got.length)
            await writer.publish('r', published++);
        const message = await reader.next();
        got.push(message.data);
        since = message.after;
        reader.terminate();
    }
    assert.deepEqual(got, Array.from({ length: count }, (_, i) => i));
});

// Reads numbers out of "data":N, as they come, in a stream of bytes cut anywhere; keeps only how many
// there were and a hash of their order.
class Tally {
    constructor() { Object.assign(this, { rest: '', n: 0, hash: 0, sum: 0 }); }

    push(chunk) {
        const text = this.rest + chunk.toString('latin1');
        const mark = '"data":';
        let at = 0;
        for (;;) {
            const start = text.indexOf(mark, at);
            const end = start < 0 ? -1 : text.indexOf(',', start);
            if (end < 0) {
                this.rest = text.slice(start < 0 ? Math.max(at, text.length - mark.length) : start);
                return;
            }
            this.add(Number(text.slice(start + mark.length, end)));
            at = end;
        }
    }

    add(number) {
        this.n++;
        this.sum += number;
        this.hash = Math.imul(this.hash, 31) + number | 0;
    }
}

const tallied = {
    async websocket(hub) {
        const client = await connect(hub);
        await client.join('r');
        const tally = new Tally();
        client.socket.removeAllListeners('message');
        client.socket.on('message', data => tally.push(data));
        return tally;
    },
    async sse(hub) {
        const client = await connectSse(hub, { rooms: ['r'] });
        const tally = new Tally();
        client.answer.removeAllListeners('data');
        client.answer.on('data', data => tally.push(data));
        return tally;
    },
    async longpoll(hub) {
        const client = await connectPoll(hub, { rooms: ['r'], run: false });
        const tally = new Tally();
        client.accept = answer => {
            client.cursor = answer.cursor;
            for (const message of answer.messages)
                tally.add(message.data);
        };
        client.run();
        return tally;
    },
};

test('200 clients of the three transports on 4 workers get 20,000 messages exactly', async t => {
    const count = scaled(1) > 1 ? 2000 : 20_000, batch = 500;
    const hub = await startHub(t, keeping(100, { workers: 4 }));
    const names = Object.keys(tallied);
    const tallies = await Promise.all(
        Array.from({ length: 200 }, (_, i) => tallied[names[i % names.length]](hub)));
    const writers = await Promise.all(Array.from({ length: 4 }, () => connect(hub)));
    for (let published = 0; published < count;) {
        for (let i = 0; i < batch; i++, published++)
            writers[published % writers.length].send({ type: 'publish', room: 'r', data: published });
        await until(() => tallies.every(tally => tally.n >= published),
            () => `all to have ${published}: ${tallies.map(tally => tally.n)}`, 30_000);
    }
    for (const tally of tallies)
        assert.deepEqual([tally.n, tally.sum, tally.hash],
            [count, count * (count - 1) / 2, tallies[0].hash]);
    assert.equal(await hub.metric('hubbub_slow_consumers_total'), 0);
});

// ---- proxies

async function works(hub, base, names) {
    const writer = await connect(hub);
    for (const name of names) {
        const room = `${name} of ${base}`;
        let reader = await readers[name](base, room);
        for (let i = 0; i < 5; i++) {
            await writer.publish(room, i);
            assert.equal((await reader.next()).data, i, room);
        }
        const { after } = reader.client.lastEventId ? { after: reader.client.lastEventId }
            : { after: reader.client.cursor ?? reader.client.messages(room).at(-1).cursor };
        reader.terminate();
        await writer.publish(room, 'missed');
        reader = await readers[name](base, room, after);
        assert.equal((await reader.next()).data, 'missed', room);
        if (name !== 'websocket')
            await reader.client.publish(room, 'sent'), assert.equal((await reader.next()).data, 'sent');
        reader.terminate();
    }
}

test('nginx in front: as its manual says, without Upgrade, and buffering', async t => {
    const hub = await startHub(t, keeping(100, { workers: 4 }));
    const nginx = await startNginx(t, hub);
    await works(hub, nginx.usual, ['websocket', 'sse', 'longpoll']);
    assert.equal((await fetchHttp(`${nginx.plain}/hub/ws`,
        { headers: { Connection: 'Upgrade', Upgrade: 'websocket' } })).status, 426);
    await works(hub, nginx.plain, ['sse', 'longpoll']);
    await works(hub, nginx.buffering, ['longpoll']);
});

test('HAProxy in front', async t => {
    const hub = await startHub(t, keeping(100, { workers: 4 }));
    const haproxy = await startHaproxy(t, hub);
    await works(hub, haproxy.usual, ['websocket', 'sse', 'longpoll']);
});

test('proxies that cut a connection, silent or not, cost nothing but a reconnect', async t => {
    const hub = await startHub(t, keeping(100));
    const { impatient } = await startHaproxy(t, hub);
    const cutter = await startCutter(t, hub, 5000);
    const writer = await connect(hub);
    await Promise.all([impatient, cutter].flatMap(base => Object.keys(readers).map(async name => {
        const room = `${name} of ${base}`;
        const reader = await readers[name](base, room);
        await writer.publish(room, 1);
        const { after } = await reader.next();
        await assert.rejects(within(reader.next(), 'the cut', 20_000), /closed|ended|aborted|hang up|ECONN|504/);
        await writer.publish(room, 2);
        reader.terminate();
        const again = await readers[name](base, room, after);
        assert.equal(again.recovered, true);
        assert.equal((await again.next()).data, 2);
        again.terminate();
    })));
});

test('a poll that a proxy cut goes on in its session', async t => {
    const hub = await startHub(t, keeping(100));
    const cutter = await startCutter(t, hub, 500);
    const client = await connectPoll(cutter, { rooms: ['r'], run: false });
    const writer = await connect(hub);
    await assert.rejects(client.poll());
    await writer.publish('r', 1);
    const { messages, ticket } = await client.poll();
    assert.equal(messages[0].data, 1);
    assert.equal(ticket, undefined, 'the same session');
});

test('a cursor of 128 rooms passes nginx with its default limits', async t => {
    const hub = await startHub(t, keeping(100));
    const nginx = await startNginx(t, hub);
    const rooms = Array.from({ length: 128 }, (_, i) => `room ${i}`.padEnd(36, '.'));
    const stream = await connectSse(nginx.usual, { rooms });
    assert.ok(stream.lastEventId.length > 2000);
    const again = await connectSse(nginx.usual, { rooms, lastEventId: stream.lastEventId });
    assert.ok(rooms.every(room => again.joined[room].recovered));
    const long = rooms.map(room => room.padEnd(64, '.'));
    const poll = await connectPoll(nginx.usual, { rooms: long, post: true, run: false });
    await poll.publish(long[127], 1);
    assert.equal((await poll.poll()).messages[0].data, 1);
    await poll.publish(long[0], 2);
    assert.equal((await poll.poll()).messages[0].data, 2);
});

// ---- attacks

const page = 'https://app.example.com';
const withCookies = () => keeping(100, {
    plugins: { load: [{ 'auth-jwt': { secret: SECRET, algorithms: ['HS256'] } }] },
    credentials: { cookie: 'hub' }, cors: { origins: [page], credentials: true },
});
const upgrade = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' };

test('pages of other origins open nothing, on any transport', async t => {
    const hub = await startHub(t, withCookies());
    const cookie = { Cookie: `hub=${tokenFor('alice')}` };
    const stream = await connectSse(hub, { headers: cookie });
    const doors = [['/hub/ws', { headers: upgrade }], ['/hub/sse', {}], ['/hub/poll', {}],
        ['/hub/poll', { method: 'POST', body: {} }], [`/hub/poll?ticket=${stream.ticket}`, {}],
        [`/hub/send?ticket=${stream.ticket}`, { method: 'POST', body: { type: 'ping' } }],
        [`/hub/send?ticket=${stream.ticket}`, { method: 'DELETE' }]];
    for (const [path, options] of doors)
        for (const headers of [{ Origin: 'https://evil.example' }, { Origin: 'null' },
            { Origin: page.replace('https', 'http') }, { 'Sec-Fetch-Site': 'cross-site' }]) {
            const answer = await hub.http(path, { ...options, headers: { ...options.headers, ...cookie, ...headers } });
            assert.equal(answer.status, 403, `${path} ${JSON.stringify(headers)}`);
            assert.equal(answer.json.error.code, 'forbidden');
            assert.equal(answer.headers['access-control-allow-origin'], undefined);
        }
    assert.equal((await stream.send({ type: 'ping', id: 1 })).status, 200, 'the session lives on');
});

test('a page that is allowed may read every answer, errors included', async t => {
    const hub = await startHub(t, withCookies());
    const allowed = answer => {
        assert.equal(answer['access-control-allow-origin'], page);
        assert.equal(answer['access-control-allow-credentials'], 'true');
        assert.match(answer.vary, /origin/i);
    };
    const token = tokenFor('alice'), origin = { Origin: page };
    const stream = await connectSse(hub, { token, origin: page, rooms: ['r'] });
    allowed(stream.head);
    const poll = await connectPoll(hub, { token, origin: page, rooms: ['r'], run: false });
    allowed(poll.head);
    const waiting = poll.tryPoll();
    await poll.publish('r', 1);
    allowed((await waiting).headers);
    allowed((await stream.send({ type: 'ping' }, { headers: origin })).headers);
    for (const path of ['/hub/sse', '/hub/poll', '/hub/poll?ticket=x', '/hub/send'])
        allowed((await hub.http(path, { headers: origin })).headers);
});

test('no ticket but a session\'s own opens anything, and for its own user only', async t => {
    const hub = await startHub(t, withCookies());
    const alice = { Authorization: `Bearer ${tokenFor('alice')}` };
    const bob = { Authorization: `Bearer ${tokenFor('bob')}` };
    const stream = await connectSse(hub, { headers: alice });
    const poll = await connectPoll(hub, { headers: alice, run: false });
    const socket = await connect(hub, { headers: alice });
    const at = index => poll.ticket.slice(0, index) + (poll.ticket[index] === 'x' ? 'y' : 'x')
        + poll.ticket.slice(index + 1);
    const forged = [poll.session, stream.session, socket.welcome.session, at(8), at(9), at(14), at(25), at(37),
        `${poll.ticket}x`, poll.ticket.slice(0, -1), '', 'A'.repeat(39), 'A'.repeat(4000), '%00'];
    const tries = async (ticket, headers) => {
        const query = `?ticket=${ticket}`;
        const answers = [await hub.http(`/hub/poll${query}`, { headers }),
            await hub.http(`/hub/send${query}`, { method: 'POST', body: { type: 'ping', id: 1 }, headers }),
            await hub.http(`/hub/send${query}`, { method: 'DELETE', headers })];
        return answers.map(({ status }) => status);
    };
    for (const ticket of forged)
        assert.deepEqual(await tries(ticket, alice), [404, 404, 404], ticket);
    assert.deepEqual(await tries(poll.ticket, bob), [403, 403, 403]);
    assert.deepEqual(await tries(stream.ticket, bob), [404, 403, 403], 'a stream has no polls');
    for (const client of [stream, poll])
        assert.equal((await client.send({ type: 'ping', id: 1 })).status, 200, 'the sessions live on');
    await socket.sync();
});

test('a form of another page does nothing', async t => {
    const hub = await startHub(t, keeping(100));
    const stream = await connectSse(hub, { rooms: ['r'] });
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data'])
        for (const path of [`/hub/send?ticket=${stream.ticket}`, '/hub/poll'])
            assert.equal((await hub.http(path, { method: 'POST', body: '{"type":"ping"}',
                headers: { 'Content-Type': type } })).status, 415);
    assert.equal((await hub.http(`/hub/send?ticket=${stream.ticket}`)).status, 405, 'an image does not');
});
