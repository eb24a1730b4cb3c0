// rate-limit with the real server: what is refused, held back and closed, for whom, across workers,
// over a reload.
import assert from 'node:assert/strict';
import test from 'node:test';
import { connect, open, refused } from './lib/client.mjs';
import { SECRET, tokenFor } from './lib/jwt.mjs';
import { startHub } from './lib/server.mjs';
import { until } from './lib/until.mjs';

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
