// Long polling, end to end.
import assert from 'node:assert/strict';
import { Agent } from 'node:http';
import { connect as connectTcp } from 'node:net';
import test from 'node:test';
import { connect } from './lib/client.mjs';
import { SECRET, mint, tokenFor } from './lib/jwt.mjs';
import { connectPoll, openPoll, refusedPoll } from './lib/poll.mjs';
import { startHub } from './lib/server.mjs';
import { connectSse } from './lib/sse.mjs';
import { until } from './lib/until.mjs';

const history = { messages: 1000, age: '5m' };
const open = (more = {}) => ({ rooms: [{ match: '*', join: 'anyone', publish: 'anyone', history }], ...more });
const withAuth = (more = {}) => ({
    plugins: { load: [{ 'auth-jwt': { secret: SECRET, algorithms: ['HS256'] } }] }, ...open(), ...more,
});
const polling = (options, more = {}) => open({ transports: { websocket: {}, sse: {}, longpoll: options }, ...more });
const dataOf = answer => answer.messages.filter(m => m.type === 'message').map(m => m.data);
const sessionsOf = hub => hub.metric('hubbub_connections', { transport: 'longpoll' });
/** Resolves once the poll waits at the server: it is the only one that the metric can't show, so the
 * test asks for it in the only way that can't be missed, a round trip on the same session. */
const barrier = client => client.ok({ type: 'ping' });

test('the first answer comes at once, with the ticket, welcome and joined', async t => {
    const hub = await startHub(t);
    const { client, ...refusal } = await openPoll(hub, { rooms: ['a', 'b'] });
    assert.ok(client, refusal.text);
    const [answer] = client.answers;
    assert.deepEqual(Object.keys(answer), ['session', 'ticket', 'cursor', 'messages']);
    assert.deepEqual(answer.messages.map(m => [m.type, m.room]),
        [['welcome', undefined], ['joined', 'a'], ['joined', 'b']]);
    assert.equal(answer.messages[0].session, answer.session);
    assert.equal(answer.messages[0].ticket, answer.ticket);
    assert.equal(client.head['cache-control'], 'no-store');
    assert.match(client.head['content-type'], /^application\/json/);
    await client.publish('a', 1);
    const next = await client.tryPoll();
    assert.deepEqual(dataOf(next.json), [1]);
    assert.deepEqual(Object.keys(next.json), ['session', 'cursor', 'messages']);
    assert.equal(next.json.session, answer.session);
    assert.equal(next.headers['cache-control'], 'no-store');
});

test('POST opens one too, for lists that are long', async t => {
    const hub = await startHub(t);
    const rooms = Array.from({ length: 128 }, (_, i) => `${'ü'.repeat(60)}${i}`);
    const { client, ...refusal } = await openPoll(hub, { rooms, post: true });
    assert.ok(client, refusal.text);
    assert.equal(client.received.filter(m => m.type === 'joined').length, 128);
    for (const body of ['{', '[]', '{"rooms":"a"', '{"rooms":[1]}', '{"cursor":1}'])
        assert.equal((await hub.http('/hub/poll',
            { method: 'POST', body, headers: { 'Content-Type': 'application/json' } })).status, 400, body);
    const nested = depth => hub.http('/hub/poll', { method: 'POST', headers: { 'Content-Type': 'application/json' },
        body: `{"rooms":["a"],"x":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}` });
    assert.deepEqual([(await nested(64)).status, (await nested(65)).status, (await nested(5000)).status], [200, 400, 400]);
    assert.equal((await hub.http('/hub/poll', { method: 'POST', body: '{}' })).status, 415);
    const put = await hub.http('/hub/poll', { method: 'PUT' });
    assert.equal(put.status, 405);
    assert.equal(put.headers.allow, 'GET, POST');
});

test('a poll waits, and is answered when something comes', async t => {
    const hub = await startHub(t);
    const [alice, bob] = [await connectPoll(hub, { rooms: ['r'] }), await connect(hub)];
    await bob.join('r');
    for (let i = 0; i < 20; i++) {
        await bob.publish('r', i);
        assert.equal((await alice.nextMessage('r')).data, i);
    }
});

test('a poll that nothing came for ends with an empty list', async t => {
    const hub = await startHub(t, polling({ wait: '100ms' }));
    const alice = await connectPoll(hub, { rooms: ['r'], run: false });
    const before = alice.cursor;
    const answer = await alice.poll();
    assert.deepEqual(answer.messages, []);
    assert.notEqual(answer.cursor, before);
    await alice.publish('r', 1);
    assert.deepEqual(dataOf(await alice.poll({ cursor: before })), [1], 'an older cursor loses nothing');
});

test('a lost answer loses nothing, and comes once more until its cursor does', async t => {
    const hub = await startHub(t);
    const alice = await connectPoll(hub, { rooms: ['r', 's'], run: false });
    const { cursor } = alice;
    await alice.publish('r', 1);
    const lost = await alice.tryPoll();
    await alice.publish('s', 2);
    const again = await alice.tryPoll({ cursor });
    assert.equal(again.text, lost.text);
    assert.equal((await alice.tryPoll({ cursor: 'nonsense' })).text, lost.text);
    alice.accept(again.json);
    assert.deepEqual(dataOf(await alice.poll()), [2]);
});

test('the connection that an answer was for may break: the answer comes again', async t => {
    const hub = await startHub(t);
    const [alice, bob] = [await connectPoll(hub, { rooms: ['r'], run: false }), await connect(hub)];
    await bob.join('r');
    for (let i = 0; i < 30; i++) {
        const broken = alice.tryPoll().catch(() => null);
        await barrier(alice);
        for (const outgoing of alice.under)
            outgoing.destroy();
        await Promise.all([broken, bob.publish('r', i)]);
        const answer = await alice.poll();
        assert.deepEqual(dataOf(answer), [i]);
    }
});

test('presence-like events that move no cursor are not lost either', async t => {
    const hub = await startHub(t, { rooms: [{ match: '*', join: 'anyone', publish: 'anyone' }] });
    const alice = await connectPoll(hub, { rooms: ['r'], run: false });
    const { cursor } = alice;
    await alice.publish('r', 1);
    assert.deepEqual(dataOf((await alice.tryPoll()).json), [1]);
    assert.deepEqual(dataOf(await alice.poll({ cursor })), [1], 'rooms without history included');
});

test('a second poll ends the first with an empty list', async t => {
    const hub = await startHub(t);
    const alice = await connectPoll(hub, { rooms: ['r'], run: false });
    const first = alice.tryPoll();
    await barrier(alice);
    const second = alice.tryPoll();
    const { json } = await first;
    assert.deepEqual(json.messages, []);
    await alice.publish('r', 1);
    assert.deepEqual(dataOf((await second).json), [1]);
});

test('many polls at once: all are answered, none brings what another did not', async t => {
    const hub = await startHub(t, { workers: 4 });
    const alice = await connectPoll(hub, { rooms: ['r'], run: false });
    const polls = Array.from({ length: 20 }, () => alice.tryPoll());
    await barrier(alice);
    await alice.publish('r', 1);
    await until(() => alice.under.size === 0 || alice.publish('r', 2), 'all to be answered');
    const answers = await Promise.all(polls);
    assert.ok(answers.every(({ status }) => status === 200));
    const bringing = answers.filter(({ json }) => json.messages.length > 0);
    assert.ok(bringing.length >= 1);
    assert.equal(new Set(bringing.map(({ text }) => text)).size, 1, 'the same answer each time');
});

test('a session that nobody polls ends after the linger time, and its ticket with it', async t => {
    const hub = await startHub(t, polling({ wait: '25s', linger: '300ms' }));
    const [alice, bob] = [await connectPoll(hub, { rooms: ['r'], run: false }), await connect(hub)];
    assert.equal((await bob.join('r')).members, 2);
    await until(async () => await sessionsOf(hub) === 0, 'the session to end');
    const { status, json } = await alice.tryPoll();
    assert.equal(status, 404);
    assert.equal(json.error.code, 'not_found');
    assert.equal((await alice.send({ type: 'ping', id: 1 })).status, 404);
});

test('a client that leaves while its poll waits is noticed at once', async t => {
    const hub = await startHub(t, polling({ wait: '10m', linger: '200ms' }));
    const alice = await connectPoll(hub, { rooms: ['r'] });
    await barrier(alice);
    alice.terminate();
    await until(async () => await sessionsOf(hub) === 0, 'the session to end');
});

test('a poll that waits keeps its session, however long', async t => {
    const hub = await startHub(t, polling({ wait: '10m', linger: '200ms' },
        { heartbeat: { interval: '1s', timeout: '1s' } }));
    const alice = await connectPoll(hub, { rooms: ['r'] });
    const watcher = await connectSse(hub);
    await until(() => watcher.comments.length >= 4, 'three heartbeats');
    await alice.publish('r', 1);
    assert.equal((await alice.nextMessage('r')).data, 1);
});

test('an unknown ticket is 404, and with rooms a session that goes on from the cursor', async t => {
    const hub = await startHub(t, polling({ linger: '200ms' }));
    const alice = await connectPoll(hub, { rooms: ['r', 's'], run: false });
    await alice.publish('r', 1);
    await alice.poll();
    await until(async () => await sessionsOf(hub) === 0, 'the session to end');
    const bob = await connect(hub);
    await bob.publish('s', 2);
    assert.equal((await alice.tryPoll()).status, 404);
    const old = alice.ticket;
    const answer = await alice.poll({ rooms: ['r', 's'] });
    assert.notEqual(alice.ticket, old);
    assert.deepEqual(answer.messages.filter(m => m.type === 'joined').map(m => m.recovered), [true, true]);
    await alice.next(m => m.type === 'joined' && m.room === 's');
    assert.deepEqual(alice.messages('s').length ? [2] : dataOf(await alice.poll()), [2]);
    assert.deepEqual(alice.messages('r').map(m => m.data), [1], 'once');
});

test('polls and sends reach their session from any worker', async t => {
    const hub = await startHub(t, open({ workers: 4 }));
    const clients = await Promise.all(Array.from({ length: 8 }, () => connectPoll(hub, { rooms: ['r'] })));
    for (let i = 0; i < 10; i++)
        await Promise.all(clients.map(client => client.publish('r', i)));
    for (const client of clients)
        await until(() => client.messages('r').length === 80, '80 messages');
    const order = JSON.stringify(clients[0].messages('r').map(m => m.cursor));
    for (const client of clients)
        assert.equal(JSON.stringify(client.messages('r').map(m => m.cursor)), order);
});

test('a connection is kept for the next poll', async t => {
    const hub = await startHub(t);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    const alice = await connectPoll(hub, { rooms: ['r'], run: false, agent });
    const writer = await connect(hub);
    await writer.join('r');
    const ports = new Set();
    agent.on('free', socket => ports.add(socket.localPort));
    for (let i = 0; i < 20; i++) {
        const answer = alice.poll();
        await writer.publish('r', i);
        assert.deepEqual(dataOf(await answer), [i]);
    }
    assert.equal(ports.size, 1, 'one connection for all polls');
});

test('DELETE ends the session, and the poll that waits', async t => {
    const hub = await startHub(t);
    const alice = await connectPoll(hub, { rooms: ['r'], run: false });
    const waiting = alice.tryPoll();
    await barrier(alice);
    assert.equal((await alice.quit()).status, 204);
    assert.deepEqual((await waiting).json.messages, []);
    assert.equal((await alice.tryPoll()).status, 404);
});

test('a token that expires: error and bye in the poll that waits, then 401', async t => {
    const hub = await startHub(t, withAuth());
    const short = mint({ sub: 'alice', exp: Math.floor(Date.now() / 1000) + 2 });
    const alice = await connectPoll(hub, { rooms: ['r'], token: short, run: false });
    const answers = [];
    alice.headers = {}; // the ticket alone: the token would be refused by itself
    while (!alice.received.some(m => m.type === 'bye'))
        answers.push(await alice.poll());
    assert.deepEqual(answers.at(-1).messages.slice(-2).map(m => [m.type, m.error?.code ?? m.code]),
        [['error', 'token_expired'], ['bye', 4001]]);
    assert.equal((await alice.tryPoll()).status, 401);
    alice.headers = { Authorization: `Bearer ${short}` };
    const { status, json } = await alice.tryPoll();
    assert.equal(status, 401);
    assert.equal(json.error.code, 'token_expired');
});

test('what a closed session still had to say waits for the next poll', async t => {
    const hub = await startHub(t, withAuth());
    const short = mint({ sub: 'alice', exp: Math.floor(Date.now() / 1000) + 1 });
    const alice = await connectPoll(hub, { rooms: ['r'], token: short, run: false });
    await alice.publish('r', 1);
    await until(async () => await sessionsOf(hub) === 0, 'the session to be closed');
    alice.headers = {};
    const { cursor } = alice;
    await alice.poll();
    await alice.poll({ cursor });
    assert.deepEqual(alice.received.slice(-3).map(m => m.type), ['message', 'error', 'bye']);
    assert.equal((await alice.send({ type: 'ping', id: 1 })).status, 404);
    const again = await connectPoll(hub,
        { rooms: ['r'], token: tokenFor('alice'), cursor: alice.cursor, run: false });
    assert.equal(again.joined.r.recovered, true);
    await again.publish('r', 2);
    assert.deepEqual(dataOf(await again.poll()), [2], 'the cursor of the last answer is after message 1');
});

test('a server that drains tells the poll that waits, and is gone', async t => {
    const hub = await startHub(t);
    const alice = await connectPoll(hub, { rooms: ['r'] });
    await barrier(alice);
    await hub.stop();
    const bye = await alice.next(m => m.type === 'bye').catch(() => null)
        ?? alice.received.find(m => m.type === 'bye');
    assert.equal(bye.code, 1001);
    assert.equal(bye.reconnect, true);
});

test('credentials are looked for, and each poll must be of the same user', async t => {
    const hub = await startHub(t, withAuth());
    assert.equal((await refusedPoll(hub, 401, { rooms: ['r'] })).code, 'unauthorized');
    assert.equal((await refusedPoll(hub, 401, { rooms: ['r'], token: 'broken' })).code, 'unauthorized');
    const alice = await connectPoll(hub, { rooms: ['r'], token: tokenFor('alice'), run: false });
    assert.equal(alice.welcome.user, 'alice');
    assert.equal(alice.received.filter(m => m.type === 'joined')[0].room, '@alice');
    alice.headers = { Authorization: `Bearer ${tokenFor('bob')}` };
    assert.equal((await alice.tryPoll()).status, 403);
    assert.equal((await alice.send({ type: 'ping', id: 1 })).status, 403);
    alice.headers = {};
    await alice.publish('r', 1);
    assert.deepEqual(dataOf(await alice.poll()), [1], 'the ticket alone will do');
});

test('rooms that may not be joined are told, and when none may be the request is refused', async t => {
    const hub = await startHub(t, withAuth({
        rooms: [{ match: 'open', join: 'anyone' }, { match: 'shut', join: 'nobody' }],
    }));
    const token = tokenFor('alice');
    const alice = await connectPoll(hub, { rooms: ['open', 'shut'], token, run: false });
    assert.equal(alice.joined.shut.error.code, 'forbidden');
    assert.equal((await refusedPoll(hub, 403, { rooms: ['shut'], token })).code, 'forbidden');
    assert.equal((await refusedPoll(hub, 400, { rooms: ['a\tb'], token })).code, 'bad_request');
});

test('a recovery longer than an answer comes in several, all of it', async t => {
    const hub = await startHub(t, { rooms: [{ match: '*', join: 'anyone', publish: 'anyone',
        history: { messages: 2000, age: '5m', bytes: '64MiB' } }] });
    const first = await connectPoll(hub, { rooms: ['r'], run: false });
    const writer = await connect(hub);
    await writer.join('r');
    const data = i => ({ i, pad: 'x'.repeat(2000) });
    await Promise.all(Array.from({ length: 1000 }, (_, i) => writer.publish('r', data(i))));
    const again = await connectPoll(hub, { rooms: ['r'], cursor: first.cursor });
    assert.equal(again.joined.r.recovered, true);
    await until(() => again.messages('r').length >= 1000, 'all of it');
    assert.deepEqual(again.messages('r').map(m => m.data.i), writer.messages('r').map(m => m.data.i));
    assert.ok(again.answers.length > 4, `${again.answers.length} answers`);
});

test('a client that never comes back for what it is owed is ended as a slow one', async t => {
    const hub = await startHub(t, open({ limits: { outbox: '64KiB' } }));
    const [alice, writer] = [await connectPoll(hub, { rooms: ['r'], run: false }), await connect(hub)];
    for (let i = 0; i < 20; i++)
        await writer.publish('r', 'x'.repeat(10_000));
    assert.equal(await hub.metric('hubbub_slow_consumers_total'), 1);
    assert.equal((await alice.tryPoll()).status, 404);
    await alice.poll({ rooms: ['r'] });
    await until(async () => alice.messages('r').length === 20 || !await alice.poll(), 'all of it');
});

test('a client of HTTP/1.0 polls too', async t => {
    const hub = await startHub(t);
    const alice = await connectPoll(hub, { rooms: ['r'], run: false });
    const socket = connectTcp(hub.port, '127.0.0.1');
    let text = '', ended = false;
    socket.on('data', chunk => { text += chunk; });
    socket.on('end', () => { ended = true; });
    socket.write(`GET /hub/poll?ticket=${alice.ticket}&cursor=${alice.cursor} HTTP/1.0\r\n\r\n`);
    await until(() => text.includes('\r\n\r\n'), 'the head');
    await alice.publish('r', 1);
    await until(() => ended, 'the end');
    assert.doesNotMatch(text, /transfer-encoding/i);
    assert.deepEqual(dataOf(JSON.parse(text.slice(text.indexOf('\r\n\r\n')))), [1]);
});
