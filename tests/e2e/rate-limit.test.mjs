// rate-limit with the real server: what is refused, held back and closed, for whom, across workers,
// over a reload.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import test from 'node:test';
import { connect, open, refused } from './lib/client.mjs';
import { SECRET, tokenFor } from './lib/jwt.mjs';
import { connectPoll, openPoll, refusedPoll } from './lib/poll.mjs';
import { startHub } from './lib/server.mjs';
import { WAYS, ask, connect as connectIo, join, open as openIo } from './lib/sio.mjs';
import { connectSse, refusedSse } from './lib/sse.mjs';
import { until } from './lib/until.mjs';

const ALL = { websocket: {}, sse: {}, longpoll: {}, socketio: {} };
const AUTH = { 'auth-jwt': { secret: SECRET, algorithms: ['HS256'], anonymous: true } };

const limited = (options, { after = [], before = [], ...more } = {}) => ({
    transports: { websocket: {} },
    plugins: { drop_in: [], load: [...before, { 'rate-limit': options }, ...after] },
    ...more,
});

/** Publishes n times at once; gives the replies. */
const burst = (client, n, room = 'lobby') => Promise.all(Array.from({ length: n }, (_, i) =>
    client.request({ type: 'publish', room, data: i })));

const passed = replies => replies.filter(reply => reply.ok).length;

test('one message too many is refused, says when to come again, and hurts nobody else', async t => {
    const hub = await startHub(t, limited({ messages: { rate: '5/s', burst: 10 } }));
    const [alice, bob] = [await connect(hub), await connect(hub)];
    await alice.join('lobby');
    await bob.join('lobby');
    const replies = await burst(alice, 15);
    assert.ok(passed(replies) >= 10 && passed(replies) < 15, `${passed(replies)} passed`);
    const { error } = replies.find(reply => !reply.ok);
    assert.equal(error.code, 'rate_limited');
    assert.ok(error.retry_after > 0 && error.retry_after <= 1000, JSON.stringify(error));
    assert.equal(passed(await burst(bob, 10)), 10);
    await until(async () => (await burst(alice, 1))[0].ok, 'alice to be let through again');
    assert.ok(await hub.metric('hubbub_rate_limited_total', { scope: 'publish' }) >= 1);
});

test('a session that goes on after 10 bursts of refusals is closed with 4029', async t => {
    const hub = await startHub(t, limited({ messages: { rate: '1/h', burst: 3 } }));
    const alice = await connect(hub);
    await alice.join('lobby');
    for (let i = 0; i < 3 + 30; i++)
        alice.send({ type: 'publish', room: 'lobby', data: i });
    const { code, bye } = await alice.waitClose();
    assert.equal(code, 4029);
    assert.equal(bye.code, 4029);
    assert.equal(bye.reconnect, true);
    const errors = alice.received.filter(message => message.type === 'error');
    assert.equal(errors.length, 30);
    assert.ok(errors.every(({ error }) => error.code === 'rate_limited' && error.retry_after > 1000));
    await until(() => hub.metric('hubbub_connections_closed_total', { reason: 'rate_limit' }), 'the metric');
});

test('with the action close the first one too many ends the session', async t => {
    const hub = await startHub(t, limited({ messages: { rate: '1/h', burst: 2, action: 'close' } }));
    const alice = await connect(hub);
    await alice.join('lobby');
    for (let i = 0; i < 3; i++)
        alice.send({ type: 'publish', room: 'lobby', data: i });
    assert.equal((await alice.waitClose()).code, 4029);
});

test('with the action delay everything arrives, in order, only later', async t => {
    const hub = await startHub(t, limited({ messages: { rate: '100/s', burst: 5, action: 'delay', delay: '2s' } }));
    const [alice, bob] = [await connect(hub), await connect(hub)];
    await alice.join('lobby');
    await bob.join('lobby');
    assert.equal(passed(await burst(alice, 40)), 40);
    await bob.next(message => message.data === 39);
    assert.deepEqual(bob.messages('lobby').map(({ data }) => data), Array.from({ length: 40 }, (_, i) => i));
    assert.ok(await hub.metric('hubbub_rate_limit_delayed_total') > 0);
});

test('a session that leaves while its message is held back leaves nothing behind', async t => {
    const hub = await startHub(t, limited({ messages: { rate: '1/s', burst: 1, action: 'delay', delay: '3s' } }));
    const alice = await connect(hub);
    await alice.join('lobby');
    for (let i = 0; i < 3; i++)
        alice.send({ type: 'publish', room: 'lobby', data: i });
    await until(() => hub.metric('hubbub_rate_limit_delayed_total'), 'a message to be held back');
    alice.terminate();
    await until(async () => await hub.metric('hubbub_sessions') === 0, 'the session to end');
});

test('a publish whose key is known is answered though nothing else may pass', async t => {
    const hub = await startHub(t, limited({ messages: { rate: '1/h', burst: 2 } }));
    const alice = await connect(hub);
    await alice.join('lobby');
    const first = await alice.publish('lobby', 'x', { key: 'k1' });
    await alice.publish('lobby', 'y');
    await alice.fails({ type: 'publish', room: 'lobby', data: 'z' }, 'rate_limited');
    const again = await alice.publish('lobby', 'x', { key: 'k1' });
    assert.equal(again.cursor, first.cursor);
});

test('calls count, and what is not a message does not', async t => {
    const hub = await startHub(t, limited({ messages: { rate: '1/h', burst: 1 } }));
    const alice = await connect(hub);
    await alice.fails({ type: 'call', event: 'x' }, 'not_found');
    await alice.fails({ type: 'call', event: 'x' }, 'rate_limited');
    await alice.join('lobby');
    for (let i = 0; i < 20; i++)
        await alice.sync();
});

test('rooms, events and bytes have limits of their own', async t => {
    const hub = await startHub(t, limited({ rules: [
        { per: 'room', room: 'news:*', rate: '1/h', burst: 2 },
        { per: ['session', 'event'], event: 'typing', rate: '1/h', burst: 1 },
        { bytes: '1KiB', bytes_burst: '2KiB', room: 'files' },
        { of: 'joins', room: 'rare*', rate: '1/h', burst: 1 },
    ] }));
    const [alice, bob] = [await connect(hub), await connect(hub)];
    for (const client of [alice, bob])
        for (const room of ['news:1', 'news:2', 'lobby', 'files'])
            await client.join(room);
    await alice.publish('news:1', 1);
    await bob.publish('news:1', 2);
    await bob.fails({ type: 'publish', room: 'news:1' }, 'rate_limited');
    await bob.publish('news:2', 3);
    await alice.publish('lobby', 1, { event: 'typing' });
    await alice.fails({ type: 'publish', room: 'lobby', event: 'typing' }, 'rate_limited');
    await bob.publish('lobby', 1, { event: 'typing' });
    await alice.publish('files', 'x'.repeat(1500));
    await alice.fails({ type: 'publish', room: 'files', data: 'x'.repeat(1500) }, 'rate_limited');
    await alice.fails({ type: 'publish', room: 'files', data: 'x'.repeat(3000) }, 'too_large');
    await alice.join('rare:1');
    await alice.fails({ type: 'join', room: 'rare:2' }, 'rate_limited');
});

test('connects of one address are refused with 429 before their token is looked at', async t => {
    const hub = await startHub(t, limited({ connects: { rate: '1/h', burst: 3 } }, { after: [AUTH] }));
    await refused(hub, 401, { token: 'no.good.token' });
    await connect(hub, { token: tokenFor('alice') });
    await connect(hub);
    const { status, headers, body } = await open(hub, { token: 'no.good.token' });
    assert.equal(status, 429, body);
    assert.equal(JSON.parse(body).error.code, 'rate_limited');
    assert.ok(Number(headers['retry-after']) > 0, JSON.stringify(headers));
    assert.equal(await hub.metric('hubbub_auth_failures_total', { reason: 'invalid' }), 1);
    assert.equal(await hub.metric('hubbub_connections_rejected_total', { reason: 'rate' }), 1);
});

test('behind the auth plugin only what it let in is counted', async t => {
    const hub = await startHub(t, limited({ connects: { rate: '1/h', burst: 1 } }, { before: [AUTH] }));
    for (let i = 0; i < 5; i++)
        await refused(hub, 401, { token: 'no.good.token' });
    await connect(hub, { token: tokenFor('alice') });
    await refused(hub, 429, { token: tokenFor('alice') });
});

test('a session whose token comes by auth is one connect', async t => {
    const auth = { 'auth-jwt': { secret: SECRET, algorithms: ['HS256'] } };
    const hub = await startHub(t, limited({ connects: { rate: '1/h', burst: 2 } }, { after: [auth] }));
    for (const user of ['alice', 'bob']) {
        const client = await connect(hub, { welcome: false });
        client.send({ type: 'auth', token: tokenFor(user) });
        assert.equal((await client.next(message => message.type === 'welcome')).user, user);
    }
    await refused(hub, 429);
});

test('connects of one user are closed with 4029 from whatever address', async t => {
    const hub = await startHub(t, limited({ connects: { rate: '1/h', burst: 2, per: 'user' } }, { after: [AUTH] }));
    await connect(hub, { token: tokenFor('alice') });
    await connect(hub, { token: tokenFor('alice') });
    const third = await connect(hub, { token: tokenFor('alice'), welcome: false });
    assert.equal((await third.waitClose()).code, 4029);
    await connect(hub, { token: tokenFor('bob') });
    for (let i = 0; i < 3; i++) { // whose token comes by auth
        const client = await connect(hub);
        client.send({ type: 'auth', token: tokenFor('carol') });
        if (i < 2)
            await client.next(m => m.type === 'welcome' && m.user === 'carol');
        else
            assert.equal((await client.waitClose()).code, 4029);
    }
});

test('limits are exact across workers', async t => {
    const hub = await startHub(t, limited({ connects: { rate: '1/h', burst: 24 },
        rules: [{ per: 'user', rate: '1/h', burst: 100 }] }, { after: [AUTH], workers: 4 }));
    const opened = await Promise.all(Array.from({ length: 60 }, () => open(hub, { token: tokenFor('alice') })));
    const clients = opened.map(({ client }) => client).filter(Boolean);
    assert.equal(clients.length, 24);
    assert.ok(opened.every(({ client, status }) => client || status === 429));
    await Promise.all(clients.map(client => client.join('lobby')));
    const replies = await Promise.all(clients.map(client => burst(client, 10)));
    assert.equal(passed(replies.flat()), 100);
});

test('a reload changes the limits of 1000 sessions, and keeps what they used', async t => {
    const config = rate => limited({ messages: rate }, { limits: { connections_per_ip: 2000 } });
    const hub = await startHub(t, config({ rate: '1/h', burst: 20 }));
    const clients = [];
    while (clients.length < 1000)
        clients.push(...await Promise.all(Array.from({ length: 100 }, () => connect(hub))));
    const [alice] = clients;
    await alice.join('lobby');
    assert.equal(passed(await burst(alice, 25)), 20);
    hub.hup(config({ rate: '1/h', burst: 30 }));
    await until(async () => passed(await burst(alice, 1)) === 1, 'the new burst');
    assert.equal(passed(await burst(alice, 15)), 9, '21 of the 30 were used');
    hub.hup(config({ rate: '1000/s', burst: 100 }));
    await until(async () => passed(await burst(alice, 1)) === 1, 'the new rate');
    hub.hup(config({ burst: 7 }));
    await hub.logged(/a burst takes a rate/);
    await Promise.all(clients.map(client => client.sync()));
    assert.equal(await hub.metric('hubbub_sessions'), 1000);
});

test('the same over server-sent events, long polls and Socket.IO', async t => {
    const hub = await startHub(t, { ...limited({ messages: { rate: '1/h', burst: 3 } }), transports: ALL });
    const send = (client, n) => client.sendAll(Array.from({ length: n }, (_, i) => ({ type: 'publish', id: i, room: 'lobby', data: i })));
    for (const open of [connectSse, connectPoll]) {
        const client = await open(hub, { rooms: ['lobby'] });
        const replies = await send(client, 6);
        assert.equal(passed(replies), 3);
        for (const { error } of replies.slice(3))
            assert.ok(error.code === 'rate_limited' && error.retry_after > 0, JSON.stringify(error));
        for (let i = 0; i < 40 && !client.received.some(m => m.type === 'bye'); i++)
            await client.send({ type: 'publish', room: 'lobby' });
        assert.equal((await client.next(m => m.type === 'bye')).code, 4029);
    }
    for (const transports of Object.values(WAYS)) {
        const socket = await connectIo(t, hub, { transports, reconnection: false });
        await join(socket, 'lobby');
        const answers = [];
        for (let i = 0; i < 5; i++)
            answers.push((await ask(socket, 'message', { roomId: 'lobby', text: i }))[0]);
        assert.equal(passed(answers), 3, JSON.stringify(answers));
        assert.ok(answers.slice(3).every(({ error }) => error.code === 'rate_limited' && error.retry_after > 0), JSON.stringify(answers));
        for (let i = 0; i < 40; i++)
            socket.emit('message', { roomId: 'lobby', text: i });
        await until(() => !socket.connected, () => `the end: ${socket.states}`);
    }
});

test('connects are refused over every transport, by network, before any token is looked at', async t => {
    const hub = await startHub(t, { ...limited({ connects: { rate: '1/h', burst: 2 }, ipv6_prefix: 56 }, { after: [AUTH] }),
        transports: ALL, trusted_proxies: ['127.0.0.1/32'] });
    const from = address => ({ token: 'no.good.token', headers: { 'X-Forwarded-For': address } });
    const refusals = [refused, refusedSse, refusedPoll];
    for (const [i, refuse] of refusals.entries()) {
        await refuse(hub, 401, from(`2001:db8:0:${i}01::1`));
        await refuse(hub, 401, from(`2001:db8:0:${i}02::1`)); // another subnet of the same customer
        for (const again of refusals)
            assert.equal((await again(hub, 429, from(`2001:db8:0:${i}ff::${i}`))).code, 'rate_limited');
        await refuse(hub, 401, from(`2001:db8:1:${i}00::1`));
    }
    const { headers } = from('2001:db8:2::1');
    for (let i = 0; i < 2; i++) {
        const socket = openIo(t, hub, { transports: ['websocket'], reconnection: false, token: 'no.good.token', extraHeaders: headers });
        await until(() => socket.states.length, 'an answer');
        assert.equal(socket.states[0], 'error: Invalid token');
    }
    const answer = await hub.http('/socket.io/?EIO=4&transport=polling', { headers });
    assert.equal(answer.status, 429, answer.text);
    assert.ok(Number(answer.headers['retry-after']) > 0);
    assert.equal(await hub.metric('hubbub_auth_jwt_failures_total'), 3 * 3 + 2);
});

test('a flood of addresses costs no memory, and gives nobody a fresh bucket', async t => {
    const hub = await startHub(t, { ...limited({ connects: { rate: '1/h', burst: 2 }, buckets: 1024 }, { after: [AUTH] }),
        transports: { longpoll: {} }, trusted_proxies: ['127.0.0.1/32'], limits: { connections_per_ip: 5000 } });
    const agent = new Agent({ keepAlive: true, maxSockets: 32 });
    t.after(() => agent.destroy());
    const come = async address => (await openPoll(hub, { agent, token: 'no.good.token', headers: { 'X-Forwarded-For': address } })).status;
    const random = () => `2001:${[1, 2, 3].map(() => Math.floor(Math.random() * 65536).toString(16)).join(':')}::1`;
    const flood = n => Promise.all(Array.from({ length: n }, () => come(random())));
    const memory = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${hub.pid}/status`, 'utf8'))[1]) * 1024;
    for (let i = 0; i < 2; i++)
        assert.equal(await come('2001:db8::1'), 401);
    assert.equal(await come('2001:db8::1'), 429);
    await flood(1000);
    const before = memory();
    for (let i = 0; i < 4; i++)
        await flood(1000);
    const sanitized = /lib[at]san/.test(readFileSync(`/proc/${hub.pid}/maps`, 'utf8')); // these keep what was freed
    assert.ok(sanitized || memory() - before < 4 << 20, `${memory() - before} bytes more`);
    assert.ok(await hub.metric('hubbub_rate_limit_evicted_total') > 0);
    assert.equal(await come('2001:db8::1'), 429);
});
