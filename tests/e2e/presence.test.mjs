// Presence: who is told what when users come, go, reconnect, and when there are many of them. The
// sessions are spread over the workers by the kernel, so a room's home is anywhere.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect } from './lib/client.mjs';
import { SECRET, tokenFor } from './lib/jwt.mjs';
import { buildDir, startHub } from './lib/server.mjs';
import { until } from './lib/until.mjs';

const AUTH = { 'auth-jwt': { secret: SECRET, anonymous: true } };
const config = (presence = {}) => ({
    plugins: { load: [AUTH, { presence }] },
    rooms: [
        { match: 'bare:*' },
        { match: '*', presence: true, history: { messages: 100, age: '5m' } },
    ],
});
const start = (t, presence, more = {}) => startHub(t, { ...config(presence), ...more });

const as = (hub, user, options = {}) =>
    connect(hub, { ...user && { token: tokenFor(user) }, ...options });
const present = (client, more = {}) => client.ok({ type: 'presence', room: 'lobby', ...more });
const heard = client => client.received.filter(({ type }) => type === 'presence');
const event = (client, name, user) => client.next(m =>
    m.type === 'presence' && m.event === name && (user === undefined || m.user === user));
const names = users => users.map(({ user }) => user).sort();

/** Connects, joins, and has its sync (`users`) in client.users. */
async function member(hub, user, { room = 'lobby', data, since, ...options } = {}) {
    const client = await as(hub, user, options);
    const more = { ...data !== undefined && { data }, ...since && { since } };
    client.joined = await client.join(room, more);
    client.users = (await event(client, 'sync')).users;
    return client;
}

test('a join is told to the others, and who came is told who is there', async t => {
    const hub = await start(t);
    const alice = await member(hub, 'alice');
    const before = Date.now();
    const bob = await member(hub, 'bob', { data: { mood: 'fine' } });
    const { session, data, room } = await event(alice, 'join', 'bob');
    assert.deepEqual([session, data, room], [bob.welcome.session, { mood: 'fine' }, 'lobby']);
    assert.deepEqual(names(bob.users), ['alice', 'bob']);
    const [mine] = bob.users.filter(({ user }) => user === 'bob');
    const { since, ...rest } = mine;
    assert.deepEqual(rest, { user: 'bob', sessions: 1, data: { mood: 'fine' } });
    assert.ok(Math.abs(since - before) < 60_000);
    assert.ok(!('data' in bob.users.find(({ user }) => user === 'alice')));
    await bob.leave('lobby');
    await event(alice, 'leave', 'bob');
    await bob.sync();
    assert.deepEqual(heard(bob).map(m => m.event), ['sync']);
    assert.deepEqual(heard(alice).map(m => [m.event, m.user]),
        [['sync', undefined], ['join', 'bob'], ['leave', 'bob']]);
});

test('tabs are one user', async t => {
    const hub = await start(t, { grace: '1h' });
    const bob = await member(hub, 'bob');
    const tabs = [];
    for (let i = 1; i <= 5; i++) {
        tabs.push(await member(hub, 'alice'));
        assert.equal(tabs.at(-1).users.find(({ user }) => user === 'alice').sessions, i);
    }
    const { users, count } = await present(bob);
    assert.equal(count, 2);
    assert.equal(users.find(({ user }) => user === 'alice').sessions, 5);
    for (const tab of tabs)
        await tab.leave('lobby');
    await event(bob, 'leave', 'alice');
    assert.deepEqual(heard(bob).map(m => m.event), ['sync', 'join', 'leave']);
});

test('a reconnect within the grace is no event', async t => {
    const hub = await start(t, { grace: '1h' });
    const bob = await member(hub, 'bob');
    let alice = await member(hub, 'alice', { data: 1 });
    const since = alice.joined.cursor;
    for (let i = 0; i < 5; i++) {
        const { session } = alice.welcome;
        alice.terminate();
        await until(async () => (await present(bob)).users[1].sessions === 0,
            `the end of ${session}`);
        await bob.publish('lobby', i);
        alice = await member(hub, 'alice', { since });
        assert.equal(alice.joined.recovered, true);
        assert.deepEqual(names(alice.users), ['alice', 'bob']);
    }
    await alice.leave('lobby');
    await event(bob, 'leave', 'alice');
    assert.deepEqual(heard(bob).map(m => m.event), ['sync', 'join', 'leave']);
});

test('who does not come back within the grace has left', async t => {
    const hub = await start(t, { grace: '300ms' });
    const bob = await member(hub, 'bob');
    for (const end of [client => client.terminate(), client => client.close()]) {
        end(await member(hub, 'alice'));
        await event(bob, 'join', 'alice');
        await event(bob, 'leave', 'alice');
    }
});

test('who leaves, or is disconnected by the server, is gone at once', async t => {
    const hub = await start(t, { grace: '1h' });
    const bob = await member(hub, 'bob');
    const ends = {
        'the op leave': client => client.leave('lobby'),
        '50 faulty ops in a row': client => {
            for (let i = 0; i < 50; i++)
                client.send('nonsense');
        },
        'a token that expires': null,
    };
    for (const [what, end] of Object.entries(ends)) {
        const alice = await member(hub, 'alice',
            end ? {} : { token: tokenFor('alice', {}, { ttl: 2 }) });
        await event(bob, 'join', 'alice');
        end?.(alice);
        const { session } = await event(bob, 'leave', 'alice');
        assert.equal(session, alice.welcome.session, what);
    }
});

test('DELETE ends the presence of its session at once', async t => {
    const hub = await start(t, { grace: '1h' });
    const bob = await member(hub, 'bob');
    const alice = await member(hub, 'alice');
    await event(bob, 'join', 'alice');
    const { status } = await hub.http('/hub/send',
        { method: 'DELETE', headers: { 'Hub-Ticket': alice.welcome.ticket } });
    assert.equal(status, 204);
    await event(bob, 'leave', 'alice');
});

test('data are told when they change, to every member', async t => {
    const hub = await start(t);
    const [alice, bob] = [await member(hub, 'alice'), await member(hub, 'bob')];
    const set = await present(bob, { data: { n: 1.5, mood: 'fine' } });
    assert.deepEqual(set.users.find(({ user }) => user === 'bob').data, { n: 1.5, mood: 'fine' });
    for (const client of [alice, bob])
        assert.deepEqual((await event(client, 'update', 'bob')).data, { n: 1.5, mood: 'fine' });
    await present(bob, { data: null });
    assert.equal((await event(alice, 'update', 'bob')).data, null);
    await bob.fails({ type: 'presence', room: 'lobby', data: 'x'.repeat(5000) }, 'too_large');
    await bob.fails({ type: 'join', room: 'other', data: 'x'.repeat(5000) }, 'too_large');
    assert.equal((await present(alice)).count, 2);
});

test('anonymous sessions are members, not users', async t => {
    const hub = await start(t);
    const bob = await member(hub, 'bob');
    const guest = await member(hub, null);
    assert.equal(guest.joined.members, 2);
    assert.deepEqual(names(guest.users), ['bob']);
    await guest.fails({ type: 'presence', room: 'lobby', data: 1 }, 'unauthorized');
    await guest.leave('lobby');
    await bob.sync();
    assert.deepEqual(heard(bob).map(m => m.event), ['sync']);
});

test('presence is for members, in rooms that have it', async t => {
    const hub = await start(t);
    const [alice, guest] = [await as(hub, 'alice'), await as(hub)];
    await alice.fails({ type: 'presence', room: 'lobby' }, 'forbidden');
    await guest.fails({ type: 'presence', room: 'lobby' }, 'unauthorized');
    await alice.join('bare:1', { data: 1 });
    await alice.fails({ type: 'presence', room: 'bare:1' }, 'not_found');
    await alice.sync();
    assert.deepEqual(heard(alice), []);
});

test('without the plugin no room has presence', async t => {
    const hub = await startHub(t, { ...config(), plugins: { load: [AUTH] } });
    const alice = await as(hub, 'alice');
    await alice.join('lobby');
    await alice.fails({ type: 'presence', room: 'lobby' }, 'not_found');
    assert.deepEqual(heard(alice), []);
});

test('past the limit a count is told, at most once a second; below it names again', async t => {
    const hub = await start(t, { list_up_to: 5 });
    const alice = await member(hub, 'alice');
    const arrivals = [];
    alice.socket.on('message', text =>
        JSON.parse(text).event === 'count' && arrivals.push(performance.now()));
    const others = await Promise.all(Array.from({ length: 11 }, (_, i) => as(hub, `user-${i}`)));
    for (const client of others)
        await client.join('lobby');
    const counted = await alice.next(m => m.event === 'count' && m.count === 12);
    assert.deepEqual(Object.keys(counted).sort(), ['count', 'event', 'room', 'type']);
    for (const client of others)
        await client.next(m => m.event === 'count' && m.count === 12);
    const { users, count } = await present(others[0]);
    assert.deepEqual([users.length, count], [5, 12]);
    for (const client of others.slice(0, 7))
        await client.leave('lobby');
    assert.deepEqual(names((await event(alice, 'sync')).users),
        ['alice', 'user-10', 'user-7', 'user-8', 'user-9']);
    for (const client of others.slice(7))
        await client.leave('lobby');
    await event(alice, 'leave', 'user-10');
    for (let i = 1; i < arrivals.length; i++)
        assert.ok(arrivals[i] - arrivals[i - 1] > 900, `counts at ${arrivals}`);
});

test('the grace and the limit change with HUP while clients stay', async t => {
    const hub = await start(t, { grace: '1h' });
    const bob = await member(hub, 'bob');
    const alice = await member(hub, 'alice');
    const since = hub.stderr.length;
    hub.hup(config({ grace: '0s', list_up_to: 1 }));
    await hub.logged(/reload/i, { since });
    await until(async () => (await present(bob)).users.length === 1, 'the new limit');
    hub.hup(config({ grace: '0s' }));
    await until(async () => (await present(bob)).users.length === 2, 'the old limit');
    alice.terminate();
    await event(bob, 'leave', 'alice');
});

test('however sessions end, nobody is left behind', async t => {
    const hub = await start(t, { grace: '100ms' });
    const watcher = await member(hub, 'watcher');
    const seen = new Set(['watcher']);
    watcher.socket.on('message', text => {
        const m = JSON.parse(text);
        if (m.event === 'join') {
            assert.ok(!seen.has(m.user), `${m.user} joins twice`);
            seen.add(m.user);
        } else if (m.event === 'leave') {
            assert.ok(seen.delete(m.user), `${m.user} leaves twice`);
        }
    });
    const ends = [
        client => client.terminate(),
        client => client.close(),
        client => client.leave('lobby'),
        client => client.send(Buffer.from('binary')),
        client => {
            client.join('x').catch(() => {});
            client.terminate();
        },
    ];
    const rounds = Array.from({ length: 60 }, async (_, i) => {
        const client = await as(hub, `user-${i % 20}`);
        if (i % 7 === 0)
            client.send({ type: 'join', room: 'lobby' });
        else
            await client.join('lobby', { data: i });
        await ends[i % ends.length](client);
    });
    await Promise.all(rounds);
    await until(async () => (await present(watcher)).count === 1, 'only the watcher');
    await watcher.sync();
    assert.deepEqual([...seen], ['watcher']);
    const { count, users } = await present(watcher);
    assert.deepEqual([count, names(users)], [1, ['watcher']]);
});

const hasSse = existsSync(join(buildDir, 'transports', 'sse.so'));

const skip = hasSse ? false : 'this transport was not built';

test('a member over server-sent events is told the same', { skip }, async t => {
    const hub = await start(t, { grace: '1h' }, { transports: { websocket: {}, sse: {} } });
    const bob = await member(hub, 'bob');
    const headers = { Authorization: `Bearer ${tokenFor('alice')}` };
    const stream = await fetch(hub.url('/hub/sse?room=lobby'), { headers });
    let text = '';
    const reading = (async () => {
        for await (const chunk of stream.body.pipeThrough(new TextDecoderStream()))
            text += chunk;
    })().catch(() => {});
    await event(bob, 'join', 'alice');
    const sync = /event: ?presence\ndata: ?.*"event":"sync".*"user":"alice"/;
    await until(() => sync.test(text), 'the sync');
    assert.ok(text.indexOf('event: joined') < text.indexOf('"event":"sync"'));
    const { ticket } = JSON.parse(/data: ?(\{"type":"welcome".*)\n/.exec(text)[1]);
    const { json } = await hub.http(`/hub/send?ticket=${ticket}`,
        { method: 'POST', body: [{ type: 'presence', id: 1, room: 'lobby', data: 5 }] });
    assert.deepEqual(names(json[0].users), ['alice', 'bob']);
    assert.equal((await event(bob, 'update', 'alice')).data, 5);
    await until(() => text.includes('"event":"update"'), 'its own update');
    await hub.http(`/hub/send?ticket=${ticket}`, { method: 'DELETE' });
    await event(bob, 'leave', 'alice');
    await reading;
});
