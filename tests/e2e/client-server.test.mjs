// The client against the real server, over each transport that was built.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fails, inState, next, numbers, open, received, texts, told, TRANSPORTS } from './lib/hubs.mjs';
import { SECRET, tokenFor } from './lib/jwt.mjs';
import { startRelay } from './lib/relay.mjs';
import { buildDir, startHub } from './lib/server.mjs';
import { until, within } from './lib/until.mjs';

const isBuilt = (name, kind = 'transports') => existsSync(join(buildDir, kind, `${name}.so`));
const builtTransports = TRANSPORTS.filter(name => isBuilt(name));
const CONFIG = {
    plugins: { load: [{ 'auth-jwt': { secret: SECRET, anonymous: true } }] },
    rooms: [
        { match: 'bare:*', join: 'anyone', publish: 'members' },
        { match: 'short:*', join: 'anyone', publish: 'members', history: { messages: 2, age: '5m' } },
        { match: 'closed:*', join: 'nobody', publish: 'nobody' },
        { match: '*', join: 'anyone', publish: 'members', history: { messages: 1000, age: '5m' } },
    ],
};
const start = (t, more = {}) => startHub(t, {
    transports: Object.fromEntries(builtTransports.map(name => [name, {}])), ...CONFIG, ...more,
});
const publish = (server, entry) => server.admin('/api/v1/publish', { method: 'POST', body: entry })
    .then(({ status, text }) => assert.equal(status, 200, text));
const kick = (server, hub) => server.admin(`/api/v1/sessions/${hub.session}`, { method: 'DELETE', body: {} })
    .then(({ status, text }) => assert.equal(status, 200, text));

for (const transport of TRANSPORTS) {
    const options = { transports: [transport], openTimeout: 5_000 };
    const skip = isBuilt(transport) ? false : 'this transport was not built';

    test(`${transport}: ops and their errors`, { skip }, async t => {
        const server = await start(t);
        const alice = open(t, server, { ...options, token: tokenFor('alice') });
        const guest = open(t, server, options);
        const room = await alice.join('lobby');
        assert.equal(room.members, 1);
        await guest.join('lobby');
        const { cursor, ts } = await alice.publish('lobby', { text: 'hi', n: 1.10 }, { event: 'greeting' });
        assert.equal(typeof cursor, 'string');
        assert.equal(typeof ts, 'number');
        await guest.publish('lobby', 2, { echo: false });
        await received(alice, 2);
        await received(guest, 1);
        assert.deepEqual(told(alice, 'message').map(({ user, event, data }) => ({ user, event, data })), [
            { user: 'alice', event: 'greeting', data: { text: 'hi', n: 1.1 } },
            { user: null, event: 'message', data: 2 },
        ]);
        assert.equal(alice.user, 'alice');
        assert.equal(guest.user, null);
        const past = await guest.history('lobby', { limit: 1 });
        assert.deepEqual(past.messages.map(({ data }) => data), [2]);
        const late = open(t, server, options);
        await late.join('lobby', { since: cursor });
        await received(late, 1);
        assert.deepEqual(texts(late), [2]);
        await fails(alice.join('closed:1'), 'forbidden');
        await fails(guest.join('closed:1'), 'unauthorized');
        await fails(alice.call('nonsense'), 'not_found');
        await fails(alice.join('x'.repeat(200)), 'bad_request');
        await fails(alice.publish('lobby', 1, { event: 'disconnect' }), 'bad_request');
        await alice.leave('lobby');
        await fails(alice.publish('lobby', 1), 'forbidden');
        await alice.refresh(tokenFor('alice'));
        await fails(alice.refresh('nonsense'), 'unauthorized');
        await fails(alice.refresh(tokenFor('bob')), 'forbidden');
    });

    test(`${transport}: what was published while it was away follows, once and in order`, { skip }, async t => {
        const server = await start(t);
        const relay = await startRelay(t, server);
        const other = open(t, server, { transports: builtTransports });
        const hub = open(t, relay, { ...options, token: tokenFor('alice') });
        await Promise.all([hub.join('lobby'), other.join('lobby')]);
        const own = [];
        for (let n = 1; n <= 200; n += 2) {
            await other.publish('lobby', n);
            own.push(hub.publish('lobby', n + 1));
            if (n % 20 === 1)
                relay.cut();
        }
        await within(Promise.all(own), 'the replies', 30_000);
        await received(hub, 200);
        await received(other, 200);
        assert.deepEqual(texts(hub), texts(other));
        assert.deepEqual(texts(hub).sort((a, b) => a - b), numbers(1, 200));
        assert.deepEqual(texts(hub).filter(n => n % 2 === 0), numbers(1, 100).map(n => 2 * n));
        assert.deepEqual(told(hub, 'gap'), []);
    });

    test(`${transport}: a gap is told when the history is too short, or there is none`, { skip }, async t => {
        const server = await start(t);
        const relay = await startRelay(t, server);
        const other = open(t, server, { transports: builtTransports });
        const hub = open(t, relay, options);
        const rooms = ['short:1', 'bare:1'];
        for (const room of rooms) {
            await hub.join(room);
            await other.join(room);
            await other.publish(room, 'first');
        }
        await received(hub, 2);
        relay.refuse(true);
        await inState(hub, 'offline');
        for (const room of rooms)
            for (const n of numbers(1, 5))
                await other.publish(room, n);
        relay.refuse(false);
        await until(() => told(hub, 'gap').length === 2, 'the gaps');
        for (const room of rooms)
            await other.publish(room, 'last');
        await received(hub, 4);
        assert.deepEqual(texts(hub), ['first', 'first', 'last', 'last']);
    });

    test(`${transport}: a wrong token is refused, getToken is asked again`, { skip }, async t => {
        const server = await start(t);
        const hopeless = open(t, server, { transports: [transport, 'sse', 'longpoll'].filter(name => isBuilt(name)),
            token: 'nonsense' });
        if (transport !== 'websocket') // whose refusal a browser's API does not tell
            assert.equal((await next(hopeless, 'state', ({ state }) => state === 'closed')).error.code,
                'unauthorized');
        const tokens = ['nonsense', tokenFor('alice')];
        const hub = open(t, server, { ...options, getToken: () => tokens.shift() ?? tokenFor('alice') });
        await inState(hub, 'online');
        assert.equal(hub.user, 'alice');
    });

    test(`${transport}: a token is refreshed in place when the server warns`, { skip }, async t => {
        const server = await start(t);
        let asked = 0;
        const getToken = () => tokenFor('alice', {}, { ttl: asked++ ? 3600 : 2 });
        const hub = open(t, server, { ...options, getToken });
        await hub.join('lobby');
        const { session } = hub;
        await next(hub, 'message', ({ event }) => event === 'token-expiring');
        await until(() => asked === 2, 'a new token to be asked for');
        await until(() => hub.pending === 0, 'the refresh');
        assert.equal(hub.session, session);
        assert.deepEqual(told(hub, 'error'), []);
    });

    test(`${transport}: a token that expires unannounced is replaced, without a gap`, { skip }, async t => {
        const plugins = { load: [{ 'auth-jwt': { secret: SECRET, expiry_warning: '0s' } }] };
        const server = await start(t, { plugins });
        const hub = open(t, server, { ...options, getToken: () => tokenFor('alice', {}, { ttl: 2 }) });
        await hub.join('lobby');
        await hub.publish('lobby', 1);
        const { session } = hub;
        await until(() => hub.session !== session && hub.state === 'online', 'the next session');
        await hub.publish('lobby', 2);
        await received(hub, 2);
        assert.deepEqual(texts(hub), [1, 2]);
        assert.deepEqual(told(hub, 'gap'), []);
    });

    test(`${transport}: kicked out, it stays out`, { skip }, async t => {
        const server = await start(t);
        const hub = open(t, server, { ...options, token: tokenFor('alice') });
        await inState(hub, 'online');
        const closed = next(hub, 'state', ({ state }) => state === 'closed');
        await kick(server, hub);
        assert.equal((await closed).error.code, 'forbidden');
    });

    test(`${transport}: a server that drains and comes back`, { skip }, async t => {
        const server = await start(t);
        const hub = open(t, server, { ...options, token: tokenFor('alice') });
        await hub.join('lobby');
        await hub.publish('lobby', 1);
        await received(hub, 1);
        await server.stop();
        await until(() => hub.state !== 'online', 'the end of the session');
        const waiting = hub.publish('lobby', 2);
        await server.start();
        await within(waiting, 'the publish that waited', 40_000);
        await received(hub, 2);
        assert.deepEqual(texts(hub), [1, 2]);
        const gaps = () => told(hub, 'gap').map(({ room }) => room).sort();
        await until(() => gaps().length >= 2, 'the gaps'); // their history was in the process
        assert.deepEqual(gaps(), ['@alice', 'lobby']);
        assert.equal(told(hub, 'bye').length, 1);
    });

    test(`${transport}: one's own room is caught up with`, { skip }, async t => {
        const server = await start(t);
        const hub = open(t, server, { ...options, token: tokenFor('alice') });
        await inState(hub, 'online');
        for (const n of numbers(1, 3))
            await publish(server, { user: 'alice', data: n });
        await received(hub, 3);
        const others = builtTransports;
        const both = open(t, server, { transports: others, token: tokenFor('alice') });
        await both.switchTo(transport);
        const sending = numbers(4, 60).reduce((before, n) =>
            before.then(() => publish(server, { user: 'alice', data: n })), Promise.resolve());
        for (const name of [...others, ...others])
            await both.switchTo(name);
        await sending;
        await received(both, 57);
        await received(hub, 60);
        assert.deepEqual(texts(hub), numbers(1, 60));
        assert.deepEqual(texts(both).slice(-57), numbers(4, 60));
        assert.deepEqual(told(both, 'gap'), []);
    });

    test(`${transport}: a message that is too large fails alone`, { skip }, async t => {
        const server = await start(t, { limits: { message_size: '16KiB' } });
        const hub = open(t, server, { ...options, token: tokenFor('alice') });
        await hub.join('lobby');
        await Promise.all([hub.publish('lobby', 1), fails(hub.publish('lobby', 'x'.repeat(20_000)), 'too_large'),
            hub.publish('lobby', 2)]);
        await received(hub, 2);
        assert.deepEqual(texts(hub), [1, 2]);
    });
}

test('switching by hand at every few messages misses none and repeats none', async t => {
    // a publisher that never rests fills a short history within one switch, and that would be told
    const server = await start(t, { rooms: [{ match: '*', join: 'anyone', publish: 'members',
        history: { messages: 100_000, age: '5m', bytes: '100MB' } }] });
    const hub = open(t, server, { token: tokenFor('alice'), transports: builtTransports });
    const other = open(t, server, { transports: builtTransports });
    await Promise.all([hub.join('lobby'), other.join('lobby')]);
    let count = 0, isOver = false;
    const talking = (async () => {
        while (!isOver)
            await other.publish('lobby', ++count);
    })();
    for (const transport of [...builtTransports, ...builtTransports].reverse())
        assert.equal(await within(hub.switchTo(transport), transport), transport);
    isOver = true;
    await talking;
    await received(hub, count);
    assert.deepEqual(texts(hub), numbers(1, count));
    assert.deepEqual(told(hub, 'gap'), []);
});
