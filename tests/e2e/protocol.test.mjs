// Sentences of the protocol that belong to no transport: keys, history, recovery, and how requests are refused.
import assert from 'node:assert/strict';
import { connect as connectTcp } from 'node:net';
import test from 'node:test';
import { connect } from './lib/client.mjs';
import { SECRET, tokenFor } from './lib/jwt.mjs';
import { connectPoll } from './lib/poll.mjs';
import { exchange } from './lib/rawws.mjs';
import { startHub } from './lib/server.mjs';
import { connectSse } from './lib/sse.mjs';
import { until, within } from './lib/until.mjs';

const OPEN = { match: '*', join: 'anyone', publish: 'anyone', history: { messages: 100, age: '5m' } };
const USERS = { plugins: { drop_in: [], load: [{ 'auth-jwt': { secret: SECRET, anonymous: true } }] }, rooms: [OPEN] };
const data = messages => messages.map(message => message.data);

test('a key belongs to a user, or without one to a session; to its room; and to what was sent with it', async t => {
    const hub = await startHub(t, USERS);
    const as = user => connect(hub, user ? { token: tokenFor(user) } : {});
    const [phone, laptop, bob, guest, other] = [await as('alice'), await as('alice'), await as('bob'), await as(), await as()];
    const reader = await connect(hub);
    await reader.join('r');
    const publish = (client, more = {}) => ({ type: 'publish', room: 'r', data: { n: 1 }, key: 'k', ...more, client });
    const first = async ({ client, ...op }) => client.ok(op);
    const reply = await first(publish(phone));
    for (const { client, ...op } of [publish(phone), publish(laptop), publish(laptop, { echo: false })]) {
        const again = await client.ok(op);
        assert.deepEqual([again.cursor, again.ts], [reply.cursor, reply.ts]);
    }
    for (const { client, ...op } of [publish(phone, { data: { n: 2 } }), publish(laptop, { event: 'other' })])
        await client.fails(op, 'conflict');
    await first(publish(bob));
    await first(publish(guest));
    await first(publish(guest));
    await first(publish(other));
    await first(publish(phone, { room: 'elsewhere' }));
    await reader.sync();
    assert.deepEqual(reader.messages('r').map(message => message.user), ['alice', 'bob', null, null]);
});

test('a key is forgotten after its window, and its message is new again', async t => {
    const hub = await startHub(t, { limits: { key_window: '500ms' } });
    const alice = await connect(hub);
    await alice.join('r');
    const { cursor } = await alice.publish('r', 1, { key: 'k' });
    await until(async () => (await alice.publish('r', 1, { key: 'k' })).cursor !== cursor, 'the end of the window');
    await alice.sync();
    assert.equal(alice.messages('r').length, 2);
});

test('history gives the newest 50, as many as asked for, or what came after a cursor, page by page', async t => {
    const hub = await startHub(t, { rooms: [OPEN] });
    const alice = await connect(hub);
    const numbers = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);
    const { cursor: start } = await alice.join('r');
    for (const i of numbers(0, 80))
        await alice.publish('r', i, { echo: false });
    const read = more => alice.ok({ type: 'history', room: 'r', ...more });
    assert.deepEqual(data((await read()).messages), numbers(30, 80));
    const newest = await read({ limit: 3 });
    assert.deepEqual([data(newest.messages), newest.more, 'recovered' in newest], [[77, 78, 79], false, false]);
    let since = start;
    for (const [from, to, more] of [[0, 35, true], [35, 70, true], [70, 80, false], [80, 80, false]]) {
        const page = await read({ since, limit: 35 });
        assert.deepEqual([data(page.messages), page.more, page.recovered], [numbers(from, to), more, true]);
        since = page.cursor;
    }
    for (const i of numbers(80, 181))
        await alice.publish('r', i, { echo: false });
    const gap = await read({ since: start });
    assert.equal(gap.recovered, false);
    assert.equal((await read({ limit: 1000 })).more, false);
});

test('a replay brings all that came, one\'s own and echo:false messages too; a second since is conflict', async t => {
    const hub = await startHub(t, { rooms: [OPEN] });
    const alice = await connect(hub);
    const { cursor } = await alice.join('r');
    await alice.publish('r', 'silent', { echo: false });
    await alice.publish('r', 'own');
    await alice.sync();
    assert.deepEqual(data(alice.messages('r')), ['own']);
    await alice.join('r');
    await alice.fails({ type: 'join', room: 'r', since: cursor }, 'conflict');
    await alice.leave('r');
    await alice.leave('r');
    assert.equal((await alice.join('r', { since: cursor })).recovered, true);
    await until(() => alice.messages('r').length >= 3, 'the replay');
    assert.deepEqual(data(alice.messages('r')), ['own', 'silent', 'own']);
});

test('a cursor that says nothing of the room, or of this life of it, replays nothing, and delivery starts at the reply', async t => {
    const hub = await startHub(t, { rooms: [{ ...OPEN, match: 'bare', history: undefined }, { ...OPEN, history: { messages: 3, age: '5m' } }] });
    const writer = await connect(hub);
    const { cursor: trimmed } = await writer.join('r');
    const { cursor: foreign } = await writer.join('other');
    for (let i = 0; i < 4; i++)
        await writer.publish('r', i);
    for (const since of [trimmed, foreign, 'no cursor', '', 'A'.repeat(5000), `${trimmed}x`]) {
        const reader = await connect(hub);
        const reply = await reader.join('r', { since });
        assert.equal(reply.recovered, false, since);
        const { cursor } = await writer.publish('r', 'new');
        assert.equal((await reader.nextMessage('r')).data, 'new');
        await reader.leave('r');
        assert.equal((await reader.join('r', { since: reply.cursor })).recovered, true);
        assert.equal((await reader.nextMessage('r')).cursor, cursor);
        assert.equal((await reader.join('bare', { since })).recovered, false);
        await reader.close();
    }
});

test('a composite cursor serves as since in each of its rooms, over any transport', async t => {
    const hub = await startHub(t, { rooms: [OPEN] });
    const stream = await connectSse(hub, { rooms: ['a', 'b'] });
    const poll = await connectPoll(hub, { rooms: ['a', 'b'], run: false });
    const writer = await connect(hub);
    for (const room of ['a', 'b', 'c'])
        await writer.publish(room, room);
    for (const since of [stream.events[0].id && stream.events.find(event => event.type === 'joined').id, poll.cursor]) {
        const reader = await connect(hub);
        for (const room of ['a', 'b']) {
            assert.equal((await reader.join(room, { since })).recovered, true);
            assert.equal((await reader.nextMessage(room)).data, room);
        }
        assert.equal((await reader.join('c', { since })).recovered, false);
    }
});

test('what is replied and what is told come in one order: nothing of a room before the reply to its join', async t => {
    const hub = await startHub(t, { rooms: [OPEN] });
    const [writer, reader] = [await connect(hub), await connect(hub)];
    const { cursor } = await reader.join('r');
    await reader.leave('r');
    for (let round = 0; round < 20; round++) {
        const busy = Array.from({ length: 5 }, (_, i) => writer.publish('r', round * 5 + i));
        const from = reader.received.length;
        await reader.join('r', { since: cursor });
        await Promise.all(busy);
        await reader.leave('r');
        const got = reader.received.slice(from), reply = got.findIndex(message => message.type === 'reply');
        assert.deepEqual(got.slice(0, reply), []);
        const numbers = data(got.filter(message => message.type === 'message'));
        assert.deepEqual(numbers, numbers.map((_, i) => i));
    }
});

test('a room is gone when nobody is in it and its history has expired', async t => {
    const hub = await startHub(t, { rooms: [{ ...OPEN, history: { messages: 10, age: '300ms' } }] });
    const alice = await connect(hub);
    for (const room of ['a', 'b'])
        await alice.join(room);
    await alice.publish('c', 1);
    assert.equal(await hub.metric('hubbub_rooms'), 3);
    await until(async () => await hub.metric('hubbub_rooms') === 2, 'the empty one to go');
    await alice.close();
    await until(async () => await hub.metric('hubbub_rooms') === 0, 'the others to go');
});

/* ---- Requests. */

test('an array stops at the first op that is refused for its rate; the rest get the same error, run or not', async t => {
    const hub = await startHub(t, { rooms: [OPEN], plugins: { drop_in: [], load: [{ 'rate-limit': { messages: { rate: '1/m', burst: 1 } } }] } });
    const alice = await connectSse(hub, { rooms: ['r'] });
    const publish = more => ({ type: 'publish', room: 'r', ...more });
    const replies = await alice.sendAll([publish({ id: 'a' }), publish({ id: 'b' }), publish({ data: 3 }),
        { type: 'join', id: 'd', room: 'other' }, { type: 'nonsense', id: 'e' }]);
    assert.deepEqual(replies.map(({ type, id, ok, error }) => [type, id, ok, error?.code]), [['reply', 'a', true, undefined],
        ...[['reply', 'b', false], ['error', undefined, undefined], ['reply', 'd', false], ['reply', 'e', false]]
            .map(reply => [...reply, 'rate_limited'])]);
    assert.ok(replies.slice(1).every(({ error }) => error.retry_after > 0));
    await alice.ok({ type: 'ping' });
    assert.equal(alice.messages('r').length, 1);
    assert.equal((await alice.ok({ type: 'join', room: 'other' })).members, 1);
});

test('what a request does wrong has its status, a JSON error, and no cache', async t => {
    const hub = await startHub(t, { limits: { message_size: '1KiB' } });
    const { ticket } = await connectSse(hub);
    const send = (headers, body) => ['POST', `/hub/send?ticket=${ticket}`, headers, body];
    const json = { 'Content-Type': 'application/json' };
    const cases = [
        [426, 'bad_request', 'GET', '/hub/ws', {}],
        [426, 'bad_request', 'GET', '/hub/ws', { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '8',
            'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' }],
        [415, 'unsupported_media_type', ...send({ 'Content-Type': 'text/plain' }, '{}')],
        [415, 'unsupported_media_type', ...send({}, '{}')],
        [413, 'too_large', ...send(json, JSON.stringify({ type: 'ping', x: 'x'.repeat(1024) }))],
        [400, 'bad_request', ...send(json, '{"type":')],
        [404, 'not_found', 'POST', '/hub/send?ticket=none', json, '{"type":"ping"}'],
        [404, 'not_found', 'POST', '/hub/send', json, '{"type":"ping"}'],
        [404, 'not_found', 'DELETE', '/hub/send?ticket=none', {}],
        [404, 'not_found', 'GET', '/hub/poll?ticket=none', {}],
        [404, 'not_found', 'GET', '/hub/nothing', {}],
        [405, 'method_not_allowed', 'GET', `/hub/send?ticket=${ticket}`, {}],
        [405, 'method_not_allowed', 'DELETE', '/hub/sse', {}],
        [405, 'method_not_allowed', 'DELETE', '/hub/poll', {}],
        [405, 'method_not_allowed', 'POST', '/hub/client.js', json, '{}'],
        [400, 'bad_request', 'GET', `/hub/sse?room=${'x'.repeat(129)}`, {}],
        [400, 'bad_request', 'GET', '/hub/poll?room=', {}],
        [400, 'bad_request', 'GET', `/hub/sse?${Array.from({ length: 129 }, (_, i) => `room=r${i}`).join('&')}`, {}],
        [400, 'bad_request', 'GET', '/hub/sse?room=@alice', {}],
    ];
    for (const [status, code, method, path, headers, body] of cases) {
        const answer = await hub.http(path, { method, headers, body });
        const what = `${method} ${path.slice(0, 60)} ${JSON.stringify(headers)}: ${answer.status} ${answer.text}`;
        assert.equal(answer.status, status, what);
        assert.deepEqual(Object.keys(answer.json.error).sort(), ['code', 'message'], what);
        assert.equal(answer.json.error.code, code, what);
        assert.equal(answer.headers['cache-control'], 'no-store', what);
        assert.equal(answer.headers.allow !== undefined, status === 405, what);
        if (status === 426)
            assert.deepEqual([answer.headers.upgrade, answer.headers['sec-websocket-version']], ['websocket', '13'], what);
    }
    const { head, socket } = await exchange(hub.port, `POST /hub/send?ticket=${ticket} HTTP/1.1\r\nHost: a\r\n`
        + `Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n${' '.repeat(2048)}\r\n0\r\n\r\n`);
    socket.destroy();
    assert.match(head, /^HTTP\/1\.1 413 /);
});

test('a head or a body that does not arrive in time ends its connection, and nobody else\'s', async t => {
    const hub = await startHub(t, { limits: { header_time: '300ms', body_time: '300ms' } });
    const alice = await connect(hub);
    const beginnings = ['', 'GET /hub/sse HTTP/1.1\r\nHost: a\r\nX-', 'POST /hub/poll HTTP/1.1\r\nHost: a\r\n'
        + 'Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{', 'POST /hub/poll HTTP/1.1\r\nHost: a\r\n'
        + 'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{'];
    for (const text of beginnings) {
        const socket = connectTcp(hub.port, '127.0.0.1');
        t.after(() => socket.destroy());
        socket.on('error', () => {}).resume();
        socket.write(text);
        await within(new Promise(done => socket.once('close', done)), `the end of ${JSON.stringify(text)}`);
    }
    await alice.sync();
});
