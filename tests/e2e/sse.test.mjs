// Server-sent events, end to end.
import assert from 'node:assert/strict';
import { connect as connectTcp } from 'node:net';
import test from 'node:test';
import { connect } from './lib/client.mjs';
import { SECRET, mint, tokenFor } from './lib/jwt.mjs';
import { startHub } from './lib/server.mjs';
import { connectSse, openSse, refusedSse } from './lib/sse.mjs';
import { until } from './lib/until.mjs';

const withAuth = (more = {}) => ({
    plugins: { load: [{ 'auth-jwt': { secret: SECRET, algorithms: ['HS256'] } }] }, ...more,
});
const history = { messages: 1000, age: '5m' };

test('a stream begins with padding, a delay, welcome and a joined for each room', async t => {
    const hub = await startHub(t);
    const alice = await connectSse(hub, { rooms: ['a', 'b', 'a'] });
    assert.equal(alice.head['content-type'], 'text/event-stream');
    assert.equal(alice.head['cache-control'], 'no-store');
    assert.equal(alice.head['x-accel-buffering'], 'no');
    assert.equal(alice.comments[0].length, 2045);
    assert.ok(alice.retry >= 1000 && alice.retry <= 3000, `retry: ${alice.retry}`);
    assert.deepEqual(alice.received.map(m => m.type), ['welcome', 'joined', 'joined']);
    assert.equal(alice.welcome.user, null);
    assert.ok(alice.welcome.ticket.length >= 22);
    assert.equal(alice.joined.a.members, 1);
    assert.ok(alice.joined.a.cursor && alice.joined.b.cursor);
    assert.ok(alice.events.every(event => event.id), 'each event has an id');
});

test('each client is told another delay', async t => {
    const hub = await startHub(t);
    const clients = await Promise.all(Array.from({ length: 10 }, () => connectSse(hub)));
    assert.ok(new Set(clients.map(client => client.retry)).size > 1);
});

test('ops go by POST, one or many, and what they cause comes by the stream', async t => {
    const hub = await startHub(t);
    const alice = await connectSse(hub);
    const bob = await connectSse(hub, { rooms: ['lobby'] });
    const joined = await alice.join('lobby');
    assert.equal(joined.members, 2);
    const replies = await alice.sendAll([
        { type: 'publish', id: 'x', room: 'lobby', data: 1 },
        { type: 'publish', room: 'lobby', data: 2 },
        { type: 'nonsense', id: 3 },
        { type: 'publish', id: 4, room: 'lobby', event: 'connect' },
        { type: 'ping', id: 5 },
    ]);
    assert.deepEqual(replies.map(r => r.id), ['x', 3, 4, 5]);
    assert.deepEqual(replies.map(r => r.error?.code ?? r.ok), [true, 'unknown_type', 'bad_request', true]);
    for (const client of [alice, bob]) {
        assert.equal((await client.nextMessage('lobby')).data, 1);
        assert.equal((await client.nextMessage('lobby')).data, 2);
    }
    const { status, json } = await alice.send('no json', { headers: { 'Content-Type': 'application/json' } });
    assert.equal(status, 400);
    assert.equal(json.error.code, 'bad_request');
    assert.equal((await alice.send('{}', { headers: { 'Content-Type': 'text/plain' } })).status, 415);
    assert.equal((await alice.send(undefined, { method: 'PUT' })).status, 405);
});

test('data arrives byte for byte but for its line breaks', async t => {
    const hub = await startHub(t);
    const alice = await connectSse(hub, { rooms: ['exact'] });
    const data = '{"z":1.10,"a":1e400,"a":-0,"ü":"\\u00fc\\n",\n\r\n "n":12345678901234567890}';
    const { status } = await alice.send(`{"type":"publish","room":"exact","data":${data}}`,
        { headers: { 'Content-Type': 'application/json' } });
    assert.equal(status, 200);
    await alice.nextMessage('exact');
    assert.ok(alice.raw.includes(`"data":${data.replace(/[\r\n]/g, '')}`), alice.raw);
});

test('Last-Event-ID resumes all rooms, and wins over the cursor of the address', async t => {
    const hub = await startHub(t, { rooms: [{ match: '*', join: 'anyone', publish: 'anyone', history }] });
    const writer = await connect(hub);
    const first = await connectSse(hub, { rooms: ['a', 'b'] });
    const early = first.lastEventId;
    await writer.publish('a', 1);
    await first.nextMessage('a');
    await writer.publish('b', 2);
    await first.nextMessage('b');
    const { lastEventId } = first;
    first.terminate();
    for (const data of [3, 4, 5])
        await writer.publish(data === 4 ? 'b' : 'a', data);
    const second = await connectSse(hub, { rooms: ['a', 'b'], lastEventId, cursor: early });
    assert.equal(second.joined.a.recovered, true);
    assert.equal(second.joined.b.recovered, true);
    await writer.publish('a', 'last');
    await second.next(m => m.data === 'last');
    await second.next(m => m.data === 4); // rooms have no order among each other
    assert.deepEqual(second.messages('a').map(m => m.data), [3, 5, 'last']);
    assert.deepEqual(second.messages('b').map(m => m.data), [4]);
    const third = await connectSse(hub, { rooms: ['a', 'b'], cursor: early });
    await third.next(m => m.data === 'last');
    assert.deepEqual(third.messages('a').map(m => m.data), [1, 3, 5, 'last']);
});

test('a cursor is good before any message came, and several work like one', async t => {
    const hub = await startHub(t, { rooms: [{ match: '*', join: 'anyone', publish: 'anyone', history }] });
    const writer = await connect(hub);
    const first = await connectSse(hub, { rooms: ['a', 'b'] });
    const cursors = [first.joined.a.cursor, first.joined.b.cursor];
    const { lastEventId } = first;
    first.terminate();
    await writer.publish('a', 1);
    await writer.publish('b', 2);
    for (const options of [{ lastEventId }, { cursor: cursors }, { cursor: cursors.reverse() }]) {
        const again = await connectSse(hub, { rooms: ['a', 'b'], ...options });
        assert.equal((await again.nextMessage('a')).data, 1);
        assert.equal((await again.nextMessage('b')).data, 2);
    }
    const half = await connectSse(hub, { rooms: ['a', 'b'], cursor: cursors[0] });
    assert.deepEqual([half.joined.a.recovered, half.joined.b.recovered].sort(), [false, true]);
});

test('the id follows a session that joins and leaves rooms by send', async t => {
    const hub = await startHub(t, { rooms: [{ match: 'plain', join: 'anyone', publish: 'anyone' },
        { match: '*', join: 'anyone', publish: 'anyone', history }] });
    const writer = await connect(hub);
    const alice = await connectSse(hub, { rooms: ['a', 'plain'] });
    const say = async (room, data) => {
        await writer.publish(room, data);
        await alice.next(m => m.data === data);
    };
    // Where each of the rooms goes on from the last id, after one more message in it.
    const resumes = async (rooms, missed) => {
        const again = await connectSse(hub, { rooms, lastEventId: alice.lastEventId });
        for (const room of rooms)
            assert.equal(again.joined[room].recovered, room in missed, room);
        for (const [room, data] of Object.entries(missed))
            assert.deepEqual((await again.nextMessage(room)).data, data);
        again.terminate();
    };
    await say('a', 1);
    await say('plain', 2);
    await writer.publish('a', 3);
    await alice.nextMessage('a');
    await alice.join('b');
    await say('a', 4);
    alice.pause();
    await writer.publish('a', 5);
    await writer.publish('b', 6);
    await resumes(['a', 'b'], { a: 5, b: 6 });
    alice.resume();
    await alice.next(m => m.data === 5);
    await alice.next(m => m.data === 6);
    await alice.leave('a');
    await say('b', 7);
    await writer.publish('a', 8);
    await resumes(['a'], {});
    assert.ok(alice.events.every(event => event.id));
});

test('a cursor that is none, or of another life, is told', async t => {
    const hub = await startHub(t);
    for (const cursor of ['nonsense', '%\n"', 'AQAAAAAAAAAAAAAAAA', 'x'.repeat(20_000)]) {
        const client = await connectSse(hub, { rooms: ['a'], cursor });
        assert.equal(client.joined.a.recovered, false, cursor.slice(0, 20));
        assert.ok(client.lastEventId, 'and a good one comes');
        client.terminate();
    }
});

test('rooms that may not be joined are told, and when none may be the request is refused', async t => {
    const hub = await startHub(t, withAuth({
        rooms: [{ match: 'open', join: 'anyone' }, { match: 'shut', join: 'nobody' }],
        limits: { rooms_per_session: 4 },
    }));
    const token = tokenFor('alice');
    const alice = await connectSse(hub, { rooms: ['open', 'shut'], token });
    assert.equal(alice.joined.open.ok ?? true, true);
    assert.equal(alice.joined.shut.ok, false);
    assert.equal(alice.joined.shut.error.code, 'forbidden');
    assert.equal((await refusedSse(hub, 403, { rooms: ['shut', 'elsewhere'], token })).code, 'forbidden');
    assert.equal((await refusedSse(hub, 400, { rooms: ['@alice'], token })).code, 'bad_request');
    assert.equal((await refusedSse(hub, 400, { rooms: ['a\nb'], token })).code, 'bad_request');
    assert.equal((await refusedSse(hub, 400, { rooms: ['1', '2', '3', '4', '5'], token })).code,
        'bad_request');
    assert.equal((await refusedSse(hub, 401, { rooms: ['open'] })).code, 'unauthorized');
    const anonymous = await startHub(t, { rooms: [{ match: '*', join: 'nobody' }] });
    assert.equal((await refusedSse(anonymous, 401, { rooms: ['x'] })).code, 'unauthorized');
});

test('the own room of a user is joined and recovered too', async t => {
    const hub = await startHub(t, withAuth());
    const alice = await connectSse(hub, { token: tokenFor('alice') });
    const joined = await alice.next(m => m.type === 'joined');
    assert.equal(joined.room, '@alice');
    const again = await connectSse(hub, { token: tokenFor('alice'), lastEventId: alice.lastEventId });
    assert.equal((await again.next(m => m.type === 'joined')).recovered, true);
});

test('a comment comes each heartbeat', async t => {
    const hub = await startHub(t, { heartbeat: { interval: '1s', timeout: '1s' } });
    const alice = await connectSse(hub);
    await until(() => alice.comments.length >= 4, 'three heartbeats'); // silence of 3 s does not close it
    assert.equal(alice.end, null);
});

test('a client that leaves is noticed at once', async t => {
    const hub = await startHub(t);
    const [alice, bob] = [await connectSse(hub, { rooms: ['r'] }), await connect(hub)];
    alice.terminate();
    await until(async () => (await bob.join('r')).members === 1, 'the room to be empty but for bob');
});

test('DELETE ends the session and its stream', async t => {
    const hub = await startHub(t);
    const alice = await connectSse(hub, { rooms: ['r'] });
    assert.equal((await alice.quit()).status, 204);
    await alice.waitClose();
    const again = await alice.send({ type: 'ping', id: 1 });
    assert.equal(again.status, 404);
    assert.equal(again.json.error.code, 'not_found');
});

test('a token that expires ends the stream with an error and a bye', async t => {
    const hub = await startHub(t, withAuth({ rooms: [{ match: '*', join: 'anyone', publish: 'anyone', history }] }));
    const short = mint({ sub: 'alice', exp: Math.floor(Date.now() / 1000) + 2 });
    const alice = await connectSse(hub, { rooms: ['r'], token: short });
    await alice.publish('r', 1);
    assert.equal((await alice.next(m => m.type === 'error')).error.code, 'token_expired');
    assert.equal((await alice.next(m => m.type === 'bye')).code, 4001);
    await alice.waitClose();
    assert.equal((await refusedSse(hub, 401, { rooms: ['r'], token: short })).code, 'token_expired');
    const again = await connectSse(hub, { rooms: ['r'], token: tokenFor('alice'), lastEventId: alice.lastEventId });
    assert.equal(again.joined.r.recovered, true);
    await again.publish('r', 2);
    await again.nextMessage('r');
    assert.deepEqual(again.messages('r').map(m => m.data), [2], 'the id of the bye is after message 1');
});

test('a server that drains says when to come back', async t => {
    const hub = await startHub(t);
    const alice = await connectSse(hub, { rooms: ['r'] });
    await hub.stop();
    const bye = alice.received.find(m => m.type === 'bye');
    assert.equal(bye.code, 1001);
    assert.equal(bye.reconnect, true);
    assert.equal(alice.retry, bye.delay ?? alice.retry);
});

test('who does not read is cut off, and the others do not notice', async t => {
    const hub = await startHub(t, {
        limits: { outbox: '256KiB' },
        rooms: [{ match: '*', join: 'anyone', publish: 'anyone', history: { messages: 10, age: '5m' } }],
    });
    const [slow, quick, writer] = [await connectSse(hub, { rooms: ['r'] }),
        await connectSse(hub, { rooms: ['r'] }), await connect(hub)];
    slow.pause();
    const data = 'x'.repeat(60_000);
    for (let i = 0; i < 400 && await hub.metric('hubbub_slow_consumers_total') === 0; i++) {
        await writer.publish('r', data);
        await quick.nextMessage('r');
    }
    assert.equal(await hub.metric('hubbub_slow_consumers_total'), 1);
    slow.resume();
    await slow.waitClose();
    await writer.publish('r', 'after');
    assert.equal((await quick.nextMessage('r')).data, 'after');
});

// What a client of HTTP/1.0 or by hand gets, until `end` says it is enough.
function raw(hub, request, end) {
    const socket = connectTcp(hub.port, '127.0.0.1');
    let text = '';
    socket.on('data', chunk => { text += chunk; });
    socket.on('error', () => {});
    socket.write(request);
    return until(() => end(text) && text, 'the answer', undefined, 5).finally(() => socket.destroy());
}

test('a client of HTTP/1.0 gets the stream as it is', async t => {
    const hub = await startHub(t);
    const text = await raw(hub, 'GET /hub/sse?room=old HTTP/1.0\r\n\r\n', got => got.includes('event: joined'));
    assert.match(text, /^HTTP\/1\.[01] 200 /);
    assert.match(text, /\r\nconnection: close\r\n/i);
    assert.doesNotMatch(text, /transfer-encoding/i);
    assert.match(text.slice(text.indexOf('\r\n\r\n')), /^\r\n\r\n: /);
});

test('only GET opens a stream', async t => {
    const hub = await startHub(t);
    for (const method of ['POST', 'PUT', 'DELETE']) {
        const answer = await hub.http('/hub/sse', { method });
        assert.equal(answer.status, 405);
        assert.equal(answer.headers.allow, 'GET');
        assert.equal(answer.json.error.code, 'method_not_allowed');
    }
    assert.equal((await hub.http('/hub/sse/')).status, 404);
});

test('sends reach their session from any worker', async t => {
    const hub = await startHub(t, { workers: 4 });
    const clients = await Promise.all(Array.from({ length: 8 }, () => connectSse(hub, { rooms: ['r'] })));
    for (let i = 0; i < 10; i++)
        await Promise.all(clients.map(client => client.publish('r', i)));
    for (const client of clients)
        await until(() => client.messages('r').length === 80, '80 messages');
    const order = JSON.stringify(clients[0].messages('r').map(m => m.cursor));
    for (const client of clients)
        assert.equal(JSON.stringify(client.messages('r').map(m => m.cursor)), order);
});

test('a cursor of 128 rooms stays within 4 KB and resumes all of them', async t => {
    const hub = await startHub(t, { rooms: [{ match: '*', join: 'anyone', publish: 'anyone', history }] });
    const rooms = Array.from({ length: 128 }, (_, i) => String(i).padEnd(64, 'x'));
    const alice = await connectSse(hub, { rooms });
    await alice.publish(rooms[127], 1);
    await alice.nextMessage(rooms[127]);
    assert.ok(alice.lastEventId.length <= 4096, `${alice.lastEventId.length} bytes`);
    alice.terminate();
    const bob = await connectSse(hub, { rooms, lastEventId: alice.lastEventId });
    assert.ok(rooms.every(room => bob.joined[room].recovered === true));
});

test('the address may be another', async t => {
    const hub = await startHub(t, { transports: { sse: { path: '/events', padding: 0, retry: '10s' } } });
    const alice = await connectSse(hub, { path: '/events' });
    assert.equal(alice.comments.length, 0);
    assert.ok(alice.retry >= 5000 && alice.retry <= 15000);
    assert.equal((await hub.http('/hub/sse')).status, 404);
});

test('credentials are found in each place, in order', async t => {
    const hub = await startHub(t, withAuth({ credentials: { cookie: 'hub', query_token: true } }));
    const ways = {
        header: { token: tokenFor('header') },
        query: { query: { access_token: tokenFor('query') } },
        cookie: { headers: { Cookie: `a=b; hub=${tokenFor('cookie')}` } },
    };
    for (const [user, options] of Object.entries(ways))
        assert.equal((await connectSse(hub, options)).welcome.user, user);
    const both = await connectSse(hub, { ...ways.query, ...ways.header });
    assert.equal(both.welcome.user, 'header');
    assert.ok((await openSse(hub, { token: 'broken' })).status === 401);
});
