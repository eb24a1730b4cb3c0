// The client against a mock that fails on demand: what it promises across transports and failures.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
    fails, inState, next, numbers, open, received, states, texts, told, TRANSPORTS,
} from './lib/hubs.mjs';
import { startMock } from './lib/mock.mjs';
import { until, within } from './lib/until.mjs';

for (const transport of TRANSPORTS) {
    const only = { transports: [transport] };

    test(`${transport}: joins, publishes, hears itself and others, leaves`, async t => {
        const mock = await startMock(t);
        const alice = open(t, mock, { ...only, token: 'alice' });
        const bob = open(t, mock, { ...only, token: 'bob' });
        const room = await alice.join('lobby');
        await bob.join('lobby', { data: { mood: 'fine' } });
        const reply = await alice.publish('lobby', { text: 'hi' }, { event: 'greeting' });
        assert.equal(typeof reply.cursor, 'string');
        await received(bob, 1);
        await received(alice, 1);
        const [message] = told(bob, 'message');
        assert.equal(message.event, 'greeting');
        assert.equal(message.user, 'alice');
        assert.equal(alice.transport, transport);
        assert.equal(room.members, 1);
        assert.equal((await bob.presence('lobby')).count, 2);
        assert.deepEqual((await bob.history('lobby')).messages.map(({ data }) => data), [{ text: 'hi' }]);
        await until(() => told(alice, 'presence').some(({ event, data }) =>
            event === 'join' && data.mood === 'fine'), "bob's arrival");
        await bob.leave('lobby');
        await until(() => told(alice, 'presence').some(({ event }) => event === 'leave'), "bob's leave");
        assert.deepEqual(await alice.call('echo', [1, 'two']), [1, 'two']);
        await fails(alice.call('nonsense'), 'not_found');
    });

    test(`${transport}: echo:false keeps one's own messages away`, async t => {
        const mock = await startMock(t);
        const hub = open(t, mock, only);
        await hub.join('lobby');
        await hub.publish('lobby', 1, { echo: false });
        await hub.publish('lobby', 2);
        await received(hub, 1);
        assert.deepEqual(texts(hub), [2]);
    });

    test(`${transport}: what was published while it was cut off follows, once and in order`, async t => {
        const mock = await startMock(t);
        const hub = open(t, mock, only);
        await hub.join('lobby');
        mock.publish('lobby', 1);
        await received(hub, 1);
        await mock.stop();
        await inState(hub, 'offline');
        mock.publish('lobby', 2);
        mock.publish('lobby', 3);
        await mock.listen();
        await received(hub, 3);
        mock.publish('lobby', 4);
        await received(hub, 4);
        assert.deepEqual(texts(hub), [1, 2, 3, 4]);
        assert.deepEqual(told(hub, 'gap'), []);
    });

    test(`${transport}: a message before the first one of a room is not lost either`, async t => {
        const mock = await startMock(t);
        const hub = open(t, mock, only);
        await hub.join('lobby');
        await mock.stop();
        mock.publish('lobby', 1);
        await mock.listen();
        await received(hub, 1);
        assert.deepEqual(texts(hub), [1]);
    });

    test(`${transport}: a publish whose reply got lost is sent again and takes effect once`, async t => {
        const mock = await startMock(t);
        const hub = open(t, mock, { ...only, token: 'alice' });
        await hub.join('lobby');
        mock.loseReplies = 1;
        const reply = await within(hub.publish('lobby', 'pay'), 'the reply');
        assert.equal(reply.ok, true);
        await received(hub, 1);
        assert.deepEqual(mock.published.map(({ data }) => data), ['pay']);
        assert.deepEqual(texts(hub), ['pay']);
    });

    test(`${transport}: what is published while it is offline waits and keeps its order`, async t => {
        const mock = await startMock(t);
        const hub = open(t, mock, { ...only, token: 'alice' });
        await hub.join('lobby');
        await mock.stop();
        await inState(hub, 'offline');
        const replies = numbers(1, 100).map(n => hub.publish('lobby', n));
        await mock.listen();
        await within(Promise.all(replies), 'the replies');
        assert.deepEqual(mock.published.map(({ data }) => data), numbers(1, 100));
        await received(hub, 100);
        assert.deepEqual(texts(hub), numbers(1, 100));
    });

    test(`${transport}: a gap is told, before what comes after it`, async t => {
        const mock = await startMock(t, { historyLimit: 2 });
        const hub = open(t, mock, only);
        await hub.join('lobby');
        mock.publish('lobby', 1);
        await received(hub, 1);
        await mock.stop();
        for (const n of [2, 3, 4, 5])
            mock.publish('lobby', n);
        await mock.listen();
        await next(hub, 'gap', ({ room }) => room === 'lobby');
        mock.publish('lobby', 6);
        await received(hub, 2);
        assert.deepEqual(texts(hub), [1, 6]);
        const order = hub.log.map(({ type }) => type).filter(type => /gap|message/.test(type));
        assert.deepEqual(order, ['message', 'gap', 'message']);
    });

    test(`${transport}: listeners that are set after the join was awaited miss nothing`, async t => {
        const mock = await startMock(t, { replyDelay: 100 });
        const first = mock.publish('lobby', 1);
        mock.publish('lobby', 2);
        const hub = open(t, mock, only);
        const room = await hub.join('lobby', { since: first.cursor });
        const heard = [];
        room.on('message', ({ data }) => heard.push(data));
        await until(() => heard.length, 'the replay');
        assert.deepEqual(heard, [2]);
    });

    test(`${transport}: what one's own room was sent meanwhile is read from its history`, async t => {
        const mock = await startMock(t);
        const hub = open(t, mock, { ...only, token: 'alice' });
        await inState(hub, 'online');
        mock.publish('@alice', 1);
        await received(hub, 1);
        await mock.stop();
        mock.publish('@alice', 2);
        mock.publish('@alice', 3);
        await mock.listen();
        await received(hub, 3);
        mock.publish('@alice', 4);
        await received(hub, 4);
        assert.deepEqual(texts(hub), [1, 2, 3, 4]);
        assert.deepEqual(told(hub, 'gap'), []);
    });

    test(`${transport}: an op that is too large fails alone, the others go through`, async t => {
        const mock = await startMock(t, { maxBody: 20_000 });
        const hub = open(t, mock, { ...only, token: 'alice' });
        await hub.join('lobby');
        const small = hub.publish('lobby', 'small');
        const large = fails(hub.publish('lobby', 'x'.repeat(30_000)), 'too_large');
        const after = hub.publish('lobby', 'after');
        await within(Promise.all([small, large, after]), 'the replies');
        assert.deepEqual(mock.published.map(({ data }) => data), ['small', 'after']);
    });

    test(`${transport}: close() ends the session and fails what waits`, async t => {
        const mock = await startMock(t);
        const hub = open(t, mock, only);
        await hub.join('lobby');
        const waiting = fails(hub.publish('lobby', 1), 'closed');
        hub.close();
        await waiting;
        await until(() => mock.sessions.size === 0, 'the end of the session');
        assert.equal(hub.state, 'closed');
        await fails(hub.publish('lobby', 1), 'closed');
        await fails(hub.join('other'), 'closed');
    });
}

test('falls from WebSocket to SSE to long polling, and remembers what works', async t => {
    const mock = await startMock(t);
    mock.off.add('websocket');
    const hub = open(t, mock, {});
    await inState(hub, 'online');
    assert.equal(hub.transport, 'sse');
    mock.off.add('sse');
    mock.cut();
    await inState(hub, 'offline');
    await next(hub, 'state', ({ state }) => state === 'online');
    assert.equal(hub.transport, 'longpoll');
    mock.requests.length = 0;
    mock.cut();
    await next(hub, 'state', ({ state }) => state === 'offline');
    await next(hub, 'state', ({ state }) => state === 'online');
    assert.equal(hub.transport, 'longpoll');
    assert.ok(!mock.requests.some(({ path }) => path === '/hub/sse'), 'it did not try SSE again');
});

test('without WebSocket it starts with SSE', async t => {
    const mock = await startMock(t);
    const hub = open(t, mock, { WebSocket: null });
    await inState(hub, 'online');
    assert.equal(hub.transport, 'sse');
});

test('a WebSocket and a stream that open and say nothing are given up for the next', async t => {
    const mock = await startMock(t);
    mock.mute.add('websocket').add('sse');
    const hub = open(t, mock, { openTimeout: 150 });
    await inState(hub, 'online');
    assert.equal(hub.transport, 'longpoll');
});

test('a stream whose heartbeats stay away is given up for long polling', async t => {
    const mock = await startMock(t, { heartbeat: 100 });
    const hub = open(t, mock, { transports: ['sse', 'longpoll'], grace: 200 });
    await inState(hub, 'online');
    assert.equal(hub.transport, 'sse');
    mock.mute.add('sse');
    await next(hub, 'state', ({ state, transport }) => state === 'online' && transport === 'longpoll');
});

test('a WebSocket that has gone silent is noticed; one that answers pings is kept', async t => {
    const mock = await startMock(t, { heartbeat: 100 });
    const hub = open(t, mock, { transports: ['websocket'], grace: 200 });
    await inState(hub, 'online');
    await new Promise(resolve => setTimeout(resolve, 600)); // longer than the silence that ends it
    assert.deepEqual(states(hub), ['connecting', 'online']);
    mock.mute.add('websocket');
    const { error } = await next(hub, 'state', ({ state }) => state === 'offline');
    assert.equal(error.code, 'silent');
});

test('switching by hand at every message misses none and repeats none', async t => {
    const mock = await startMock(t);
    const hub = open(t, mock, { token: 'alice' });
    const bob = open(t, mock, { token: 'bob' });
    await bob.join('lobby');
    await hub.join('lobby');
    let count = 0;
    const talking = setInterval(() => mock.publish('lobby', ++count), 2);
    t.after(() => clearInterval(talking));
    for (const transport of ['sse', 'longpoll', 'websocket', 'longpoll', 'sse', 'websocket'])
        assert.equal(await within(hub.switchTo(transport), transport), transport);
    clearInterval(talking);
    await received(hub, count);
    assert.deepEqual(texts(hub), numbers(1, count));
    assert.deepEqual(told(hub, 'gap'), []);
    assert.ok(!states(hub).includes('offline'));
    await fails(hub.switchTo('pigeon'), 'bad_request');
    assert.equal(mock.sessions.size, 2);
});

test('a switch to a transport that is refused ends on one that works', async t => {
    const mock = await startMock(t);
    const hub = open(t, mock);
    await hub.join('lobby');
    mock.off.add('sse');
    assert.equal(await within(hub.switchTo('sse'), 'the switch'), 'websocket');
    mock.publish('lobby', 1);
    await received(hub, 1);
});

test('an anonymous publish in flight is not sent twice by a switch', async t => {
    const mock = await startMock(t, { replyDelay: 50 });
    const hub = open(t, mock, { transports: TRANSPORTS });
    await hub.switchTo('longpoll');
    await hub.join('lobby');
    const replies = [hub.publish('lobby', 1), hub.publish('lobby', 2)];
    await hub.switchTo('websocket');
    await within(Promise.all(replies), 'the replies');
    assert.deepEqual(mock.published.map(({ data }) => data), [1, 2]);
});

test('under cuts, restarts and lost replies all that was published arrives once, in order', async t => {
    const mock = await startMock(t, { historyLimit: 1000, replyDelay: 3 });
    const alice = open(t, mock, { token: 'alice', transports: ['sse', 'longpoll', 'websocket'] });
    const hubs = TRANSPORTS.map(name => open(t, mock, { transports: [name] }));
    await Promise.all([alice, ...hubs].map(hub => hub.join('lobby')));
    const replies = [];
    for (let n = 1; n <= 300; n++) {
        replies.push(alice.publish('lobby', n));
        if (n % 20 === 0)
            mock.cut();
        if (n % 35 === 0)
            mock.loseReplies = 1;
        await new Promise(resolve => setTimeout(resolve, n % 4));
    }
    await within(Promise.all(replies), 'the replies', 30_000);
    assert.deepEqual(mock.published.map(({ data }) => data).length, 300);
    for (const hub of [alice, ...hubs]) {
        await received(hub, 300);
        assert.deepEqual(texts(hub), mock.published.map(({ data }) => data));
        assert.deepEqual(told(hub, 'gap'), []);
    }
});

test('a bye says when to come back, or not to', async t => {
    const mock = await startMock(t);
    const hub = open(t, mock, { transports: TRANSPORTS });
    await inState(hub, 'online');
    const offline = next(hub, 'state', ({ state }) => state === 'offline');
    mock.bye({ delay: 70 });
    assert.equal((await offline).retryIn, 70);
    await inState(hub, 'online');
    for (const transport of TRANSPORTS) {
        const other = open(t, mock, { transports: [transport] });
        await inState(other, 'online');
        const closed = next(other, 'state', ({ state }) => state === 'closed');
        mock.bye({ code: 4003, reason: 'kicked', reconnect: false });
        const { error } = await closed;
        assert.equal(error.code, 'forbidden');
        assert.equal(error.message, 'kicked');
    }
});

test('Retry-After and retry: are waited for', async t => {
    const mock = await startMock(t, { retry: 5 });
    mock.answer = { status: 503, retryAfter: 1 };
    const hub = open(t, mock, { transports: ['sse'] });
    const { retryIn, error } = await next(hub, 'state', ({ state }) => state === 'offline');
    assert.ok(retryIn >= 1000 && retryIn <= 2000, String(retryIn));
    assert.equal(error.code, 'unavailable');
    mock.answer = null;
    mock.retry = 1234;
    await inState(hub, 'online');
    const offline = next(hub, 'state', ({ state }) => state === 'offline');
    mock.cut();
    assert.ok((await offline).retryIn >= 1234);
});

test('a room without history tells a gap whenever it may have missed something', async t => {
    const mock = await startMock(t, { historyLimit: 0 });
    const hub = open(t, mock);
    const room = await hub.join('lobby');
    assert.equal(room.cursor, null);
    mock.publish('lobby', 1);
    await received(hub, 1);
    mock.cut();
    await next(hub, 'gap');
});

test('a room that may not be joined, or not any more', async t => {
    const mock = await startMock(t);
    mock.forbidden.add('secret');
    const hub = open(t, mock, { token: 'alice' });
    await fails(hub.join('secret'), 'forbidden');
    await hub.join('lobby');
    mock.forbidden.add('lobby');
    mock.cut();
    const { room, error } = await next(hub, 'left');
    assert.equal(room, 'lobby');
    assert.equal(error.code, 'forbidden');
    assert.equal(hub.room('lobby').joined, false);
    mock.forbidden.clear();
    await hub.join('lobby');
});

test('what is refused for now is asked again: joins, and publishes of unknown outcome', async t => {
    const mock = await startMock(t);
    const hub = open(t, mock);
    mock.failures = [{ code: 'rate_limited', retry_after: 20 }];
    await hub.join('lobby');
    mock.failures = [{ code: 'unavailable', retry: 'same key', retry_after: 20 }];
    await hub.publish('lobby', 1);
    mock.failures = [{ code: 'rate_limited', retry_after: 1500 }];
    await assert.rejects(hub.publish('lobby', 2), { code: 'rate_limited', retryAfter: 1500 });
});

test('the queue is bounded, and ops that wait too long fail', async t => {
    const mock = await startMock(t);
    await mock.stop();
    const hub = open(t, mock, { queue: 2, timeout: 100 });
    const waiting = [hub.publish('lobby', 1), hub.publish('lobby', 2)].map(op => fails(op, 'timeout'));
    await fails(hub.publish('lobby', 3), 'queue_full');
    await Promise.all(waiting);
    assert.equal(hub.pending, 0);
    await mock.listen();
});

test('a call whose answer got lost is not made again', async t => {
    const mock = await startMock(t);
    const hub = open(t, mock, { token: 'alice' });
    await inState(hub, 'online');
    mock.loseReplies = 1;
    await fails(hub.call('echo', 1), 'disconnected');
});

test('tokens and tickets stay out of addresses', async t => {
    const mock = await startMock(t);
    const hub = open(t, mock, { token: 'alice-token' });
    await hub.join('lobby');
    await hub.switchTo('sse');
    await hub.publish('lobby', 1);
    await hub.switchTo('longpoll');
    await hub.publish('lobby', 2);
    mock.publish('lobby', 3);
    await received(hub, 3);
    const tickets = [...mock.sessions].map(({ ticket }) => ticket);
    assert.equal(hub.user, 'alice-token');
    for (const { url } of mock.requests)
        assert.ok(!url.includes('alice') && !tickets.some(ticket => url.includes(ticket)), url);
    assert.ok(mock.requests.some(({ headers }) => headers.authorization === 'Bearer alice-token'));
});

test('a wrong token closes for good; getToken is asked for another one', async t => {
    const mock = await startMock(t);
    const hopeless = open(t, mock, { token: 'bad' });
    assert.equal((await next(hopeless, 'state', ({ state }) => state === 'closed')).error.code,
        'unauthorized');
    const tokens = ['bad', 'alice'];
    const hub = open(t, mock, { transports: ['sse'], getToken: async () => tokens.shift() ?? 'alice' });
    await inState(hub, 'online');
    assert.equal(hub.user, 'alice');
    const stubborn = open(t, mock, { getToken: () => 'bad' });
    await next(stubborn, 'state', ({ state }) => state === 'closed');
});

test('a token that expires is replaced, without a gap', async t => {
    const mock = await startMock(t);
    let token = 'alice';
    const hub = open(t, mock, { getToken: () => token });
    await hub.join('lobby');
    mock.expired.add('alice');
    token = 'bob';
    const [session] = mock.sessions;
    session.push({ type: 'error', error: { code: 'token_expired', message: 'expired' } });
    session.bye({ code: 4001, reason: 'token_expired', reconnect: false });
    mock.publish('lobby', 1);
    await received(hub, 1);
    assert.equal(hub.user, 'bob');
    assert.equal(told(hub, 'error').length, 1);
});

test('refresh takes a new token into use', async t => {
    const mock = await startMock(t);
    const hub = open(t, mock, { token: 'alice' });
    await inState(hub, 'online');
    await hub.refresh('alice');
    await fails(hub.refresh('bad'), 'unauthorized');
    mock.cut();
    await next(hub, 'state', ({ state }) => state === 'offline');
    await inState(hub, 'online');
    assert.equal(hub.user, 'alice');
});

test('a warning that the token expires makes it refresh by itself', async t => {
    const mock = await startMock(t);
    const tokens = ['alice', 'alice', 'bad'];
    const hub = open(t, mock, { getToken: () => tokens.shift() });
    await inState(hub, 'online');
    const warn = () => [...mock.sessions][0].push(
        { type: 'message', room: null, event: 'token-expiring', data: { expires_in: 1 } });
    warn();
    await until(() => tokens.length === 1 && hub.pending === 0, 'the refresh');
    warn();
    assert.equal((await next(hub, 'error')).code, 'unauthorized');
    assert.equal(texts(hub).length, 2);
});

test('a poll whose answer got lost is asked again, on the same session', async t => {
    const mock = await startMock(t);
    const hub = open(t, mock, { transports: ['longpoll'] });
    await hub.join('lobby');
    const { session } = hub;
    mock.sockets.forEach(socket => socket.destroy());
    mock.publish('lobby', 1);
    await received(hub, 1);
    assert.equal(hub.session, session);
    assert.deepEqual(texts(hub), [1]);
});

test('a send that is refused for its rate is repeated when the server says', async t => {
    const mock = await startMock(t);
    const hub = open(t, mock, { transports: ['sse'] });
    await hub.join('lobby');
    mock.answer = { status: 429, code: 'rate_limited', retryAfter: 0, send: true };
    const reply = hub.publish('lobby', 1);
    await until(() => mock.requests.filter(({ path }) => path === '/hub/send').length >= 2, 'the POST');
    mock.answer = null;
    await within(reply, 'the reply');
    assert.deepEqual(states(hub), ['connecting', 'online']);
});

test('a room that the server joins us to is known, and recovered like any other', async t => {
    const mock = await startMock(t);
    const hub = open(t, mock, { token: 'alice' });
    await inState(hub, 'online');
    const [session] = mock.sessions;
    const room = mock.room('news');
    room.members.set(session, null);
    session.rooms.add(room);
    session.push({ type: 'joined', room: 'news', cursor: room.cursor(), members: 1 });
    mock.publish('news', 1);
    await received(hub, 1);
    mock.cut();
    mock.publish('news', 2);
    await received(hub, 2);
    assert.deepEqual(texts(hub), [1, 2]);
});

test('a broadcast has no room', async t => {
    const mock = await startMock(t);
    const hub = open(t, mock);
    await inState(hub, 'online');
    [...mock.sessions][0].push({ type: 'message', room: null, event: 'notice', data: 1 });
    await received(hub, 1);
});

test('what the server must not send ends the connection, not the client', async t => {
    const mock = await startMock(t);
    const hub = open(t, mock);
    await hub.join('lobby');
    [...mock.sessions][0].push([1]);
    [...mock.sessions][0].push(null);
    await inState(hub, 'offline');
    await inState(hub, 'online');
    mock.publish('lobby', 1);
    await received(hub, 1);
});

test('a listener may close, switch or leave at any time', async t => {
    const mock = await startMock(t);
    for (const type of ['state', 'joined', 'message', 'bye']) {
        const hub = open(t, mock);
        hub.on(type, event => ['connecting', 'closed'].includes(event.state) || hub.close());
        hub.join('lobby').then(() => mock.publish('lobby', 1), () => {});
        if (type === 'bye')
            next(hub, 'state', ({ state }) => state === 'online').then(() => mock.bye({}));
        await inState(hub, 'closed');
    }
    const hub = open(t, mock, { transports: TRANSPORTS });
    const stop = hub.on('state', ({ state }) => state === 'online' && (stop(), hub.switchTo('longpoll').catch(() => {})));
    await next(hub, 'state', ({ transport, state }) => state === 'online' && transport === 'longpoll');
});

test('a listener that throws stops nobody else', async t => {
    const mock = await startMock(t);
    const hub = open(t, mock);
    t.mock.method(console, 'error', () => {});
    hub.room('lobby').on('message', () => { throw new Error('mine'); });
    await hub.join('lobby');
    mock.publish('lobby', 1);
    await received(hub, 1);
    assert.equal(console.error.mock.callCount(), 1);
});

test('join and leave, in any order and more than once', async t => {
    const mock = await startMock(t);
    const hub = open(t, mock);
    const early = fails(hub.join('lobby'), 'left');
    await hub.leave('lobby');
    await early;
    const [one, two] = await Promise.all([hub.join('lobby'), hub.join('lobby')]);
    assert.equal(one, two);
    await hub.join('lobby', { data: { mood: 'fine' } });
    await hub.leave('lobby');
    await hub.leave('never');
    mock.publish('lobby', 1);
    await hub.ping();
    assert.deepEqual(texts(hub), []);
});

test('the declarations fit how the client is used', () => {
    const folder = fileURLToPath(new URL('.', import.meta.url));
    const { status, stdout } = spawnSync(`${folder}node_modules/.bin/tsc`, ['--noEmit', '--strict',
        '--target', 'es2022', '--module', 'nodenext', '--lib', 'es2022,dom', '--types', '',
        `${folder}client-types.ts`], { encoding: 'utf8' });
    assert.equal(status, 0, stdout);
});
