// hubbub's own protocol over WebSocket: every op, error code and close code of protocol.md.
import assert from 'node:assert/strict';
import { join as joinPath } from 'node:path';
import test from 'node:test';
import { connect, open, refused } from './lib/client.mjs';
import { SECRET, mint, tokenFor } from './lib/jwt.mjs';
import { buildDir, startHub } from './lib/server.mjs';
import { exchange } from './lib/rawws.mjs';
import { connectSse } from './lib/sse.mjs';
import { until } from './lib/until.mjs';

const jwt = (options = {}) => ({ 'auth-jwt': { secret: SECRET, algorithms: ['HS256'], ...options } });
const withJwt = (more = {}, options = {}) => ({ plugins: { load: [jwt(options)] }, ...more });
const HISTORY = { messages: 100, age: '5m' };
const OPEN = { match: '*', join: 'anyone', publish: 'members', history: HISTORY };
const now = () => Math.floor(Date.now() / 1000);

test('the reply to each op has what the protocol says', async t => {
    const hub = await startHub(t);
    const a = await connect(hub);
    const joined = await a.join('lobby');
    assert.deepEqual(Object.keys(joined).sort(), ['cursor', 'id', 'members', 'ok', 'type']);
    const published = await a.publish('lobby', { text: 'hi' });
    assert.deepEqual(Object.keys(published).sort(), ['cursor', 'id', 'ok', 'ts', 'type']);
    const message = await a.nextMessage('lobby');
    assert.deepEqual(message, { type: 'message', room: 'lobby', event: 'message', data: { text: 'hi' },
        user: null, ts: published.ts, cursor: published.cursor });
    const history = await a.ok({ type: 'history', room: 'lobby' });
    assert.deepEqual(history.messages, [message]);
    assert.equal(history.more, false);
    assert.equal(history.cursor, published.cursor);
    assert.equal('recovered' in history, false);
    assert.deepEqual(await a.ok({ type: 'ping', id: 'a string' }), { type: 'reply', id: 'a string', ok: true });
    assert.deepEqual(await a.leave('lobby'), { type: 'reply', id: 4, ok: true });
    await a.leave('never joined');
});

test('data and event have defaults', async t => {
    const hub = await startHub(t);
    const a = await connect(hub);
    await a.join('r');
    await a.ok({ type: 'publish', room: 'r' });
    const { event, data } = await a.nextMessage('r');
    assert.deepEqual({ event, data }, { event: 'message', data: null });
});

test('what is out of bounds is bad_request', async t => {
    const hub = await startHub(t);
    const a = await connect(hub);
    const bad = [
        { type: 'join' }, { type: 'join', room: '' }, { type: 'join', room: 'x'.repeat(129) },
        { type: 'join', room: 'a\nb' }, { type: 'join', room: 'a\u0085b' }, { type: 'join', room: 5 },
        { type: 'join', room: 'r', since: 5 }, { type: 'publish', room: 'r', event: '' },
        { type: 'publish', room: 'r', event: 'e'.repeat(129) }, { type: 'publish', room: 'r', key: '' },
        { type: 'publish', room: 'r', key: 'k'.repeat(257) }, { type: 'publish', room: 'r', echo: 1 },
        { type: 'history', room: 'r', limit: 0 }, { type: 'history', room: 'r', limit: 1001 },
        { type: 'history', room: 'r', limit: 1.5 }, { type: 'history', room: 'r', since: 'no cursor' },
        { type: 'auth' }, { type: 'refresh' }, { type: 'call' },
        ...['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener',
            'user-joined', 'user-left'].map(event => ({ type: 'publish', room: 'r', event })),
    ];
    for (const op of bad) {
        await a.fails(op, 'bad_request');
        await a.sync();
    }
    await a.fails({ type: 'join', room: 'x'.repeat(128) + 'é' }, 'bad_request');
    await a.join('ü'.repeat(64));
});

test('what is no op gets an error, with the id where there is one', async t => {
    const hub = await startHub(t);
    const a = await connect(hub);
    const error = async (text, code) => {
        a.send(text);
        assert.equal((await a.next(m => m.type === 'error')).error.code, code, text);
    };
    await error('no JSON', 'bad_request');
    await error('[]', 'bad_request');
    await error('{}', 'bad_request');
    await error('{"type":"join","type":"join","room":"r"}', 'bad_request');
    await error('{"type":"join","room":"r","x":1,"x":2}', 'bad_request');
    await error('{"type":"publish","room":"r","data":"\\ud800"}', 'bad_request');
    await error(`{"type":"publish","room":"r","data":${'['.repeat(70)}${']'.repeat(70)}}`, 'bad_request');
    await error('{"type":"nonsense"}', 'unknown_type');
    await error('{"type":"join","id":{},"room":"r"}', 'bad_request');
    await error(`{"type":"ping","id":"${'i'.repeat(65)}"}`, 'bad_request');
    await a.fails({ type: 'nonsense' }, 'unknown_type');
    await a.fails({ type: 'call', event: 'who' }, 'not_found');
});

const nested = depth => '['.repeat(depth) + ']'.repeat(depth);

test('an id comes back as it was sent, and is within its bounds', async t => {
    const hub = await startHub(t);
    const a = await connect(hub);
    const answers = async text => {
        const before = a.received.length;
        a.send(`{"type":"ping","id":${text}}`);
        await until(() => a.received.length > before, text);
        return a.received[before];
    };
    for (const id of [0, -1, '', 'a b', 'é'.repeat(32), '😀'])
        assert.deepEqual(await answers(JSON.stringify(id)), { type: 'reply', id, ok: true });
    let text;
    a.socket.on('message', data => { text = data.toString(); });
    for (const id of ['12345678901234567890', '-0', '9'.repeat(64), '"\\u00e9"']) {
        await answers(id);
        assert.equal(text, `{"type":"reply","id":${id},"ok":true}`);
    }
    for (const id of ['1.0', '1e3', '9'.repeat(65), 'null', 'true', '[]', '{}', '"a\\nb"', '"\\u0000"', '"\\u0085"',
        `"${'é'.repeat(32)}x"`])
        assert.equal((await answers(id)).error.code, 'bad_request', id);
});

test('whatever is wrong with an op, its id is answered', async t => {
    const hub = await startHub(t);
    const a = await connect(hub);
    const bad = ['"x":1,"x":2', '"x\\u0041":1,"xA":2', '"x":"\\ud800"', '"\\udc00":1', `"data":${nested(64)}`,
        `"data":${nested(900)}`, Array.from({ length: 70 }, (_, i) => `"k${i}":1`).join()];
    for (const [id, fault] of bad.entries()) {
        a.send(`{${fault},"type":"ping","id":${id}}`);
        assert.equal((await a.next(m => m.id === id)).error.code, 'bad_request', fault);
        await a.sync();
    }
    a.send('{"type":"ping","id":"x","id":"y"}');
    assert.equal((await a.next(m => m.type === 'reply')).error.code, 'bad_request');
    a.send(`{"type":"ping","id":64,"x":${nested(63)}}`);
    assert.equal((await a.next(m => m.id === 64)).ok, true);
});

test('what is wrong in one op of a POST leaves the others alone', async t => {
    const hub = await startHub(t);
    const a = await connectSse(hub, { rooms: ['r'] });
    const post = async body => {
        const answer = await a.send(body, { headers: { 'Content-Type': 'application/json' } });
        assert.equal(answer.status, 200, answer.text);
        return answer.json.map(reply => reply.ok ? 'ok' : reply.error.code);
    };
    const ping = (id, more) => `{"type":"ping","id":${id},"x":${more}}`;
    assert.deepEqual(await post(`[${ping(1, '"\\ud800"')},${ping(2, nested(63))},${ping(3, nested(64))},${ping(4, '1')}]`),
        ['bad_request', 'ok', 'bad_request', 'ok']);
    assert.deepEqual(await post(ping(1, nested(63))), ['ok']);
    assert.deepEqual(await post(ping(1, nested(64))), ['bad_request']);
    assert.deepEqual(await post('[5,[],null]'), ['bad_request', 'bad_request', 'bad_request']);
    assert.deepEqual(await post('[]'), []);
    for (const body of ['', '[', '{"type":"ping"}{}', '"\\u12"', Buffer.from([0x22, 0xff, 0x22])])
        assert.equal((await a.send(body, { headers: { 'Content-Type': 'application/json' } })).status, 400);
});

test('the rules of a room decide who joins and publishes', async t => {
    const rule = (match, join, publish) => ({ match, join, publish });
    const hub = await startHub(t, withJwt({
        rooms: [rule('open', 'anyone', 'anyone'), rule('users', 'authenticated', 'authenticated'),
            rule('claimed:*', 'claim', 'claim'), rule('closed', 'nobody', 'nobody'), rule('m', 'anyone', 'members')],
    }, { anonymous: true }));
    const nobody = await connect(hub);
    const alice = await connect(hub, { token: tokenFor('alice', {
        hubbub: { join: ['claimed:*'], publish: ['claimed:a*'] } }) });
    await nobody.join('open');
    await nobody.fails({ type: 'join', room: 'users' }, 'unauthorized');
    await nobody.fails({ type: 'join', room: 'closed' }, 'unauthorized');
    await nobody.fails({ type: 'publish', room: 'users' }, 'unauthorized');
    await alice.join('users');
    await alice.join('claimed:b');
    await alice.publish('claimed:abc', 1);
    await alice.fails({ type: 'publish', room: 'claimed:b' }, 'forbidden');
    await alice.fails({ type: 'join', room: 'closed' }, 'forbidden');
    await alice.fails({ type: 'join', room: 'matches nothing' }, 'forbidden');
    await alice.fails({ type: 'publish', room: 'm' }, 'forbidden');
    await alice.fails({ type: 'history', room: 'closed' }, 'forbidden');
    await alice.fails({ type: 'presence', room: 'open' }, 'forbidden');
    await alice.publish('open', 1);
    await alice.join('m');
    await alice.publish('m', 1);
});

test('rooms without history have order, but no cursors and no keys', async t => {
    const hub = await startHub(t, { rooms: [{ match: '*', join: 'anyone', publish: 'members' }] });
    const a = await connect(hub);
    assert.equal('cursor' in await a.join('r'), false);
    const reply = await a.publish('r', 1, { key: 'k' });
    assert.equal('cursor' in reply, false);
    await a.publish('r', 1, { key: 'k' });
    assert.equal('cursor' in await a.nextMessage('r'), false);
    await a.nextMessage('r');
});

test('limits: rooms of a session, members of a room, the size of a message', async t => {
    const hub = await startHub(t, { limits: { rooms_per_session: 2, room_members: 1, message_size: '1KiB' } });
    const a = await connect(hub), b = await connect(hub);
    await a.join('one');
    await a.join('two');
    await a.fails({ type: 'join', room: 'three' }, 'too_many_rooms');
    await b.fails({ type: 'join', room: 'one' }, 'room_full');
    await a.leave('one');
    await b.join('one');
    a.send(JSON.stringify({ type: 'publish', room: 'two', data: 'x'.repeat(1024) }));
    assert.equal((await a.waitClose()).code, 1009);
});

test('connections over the limit get 503, over that of an address 429, with Retry-After', async t => {
    const full = await startHub(t, { limits: { connections: 2 } });
    await connect(full);
    await connect(full);
    const answer = await open(full);
    assert.equal(answer.status, 503);
    assert.ok(Number(answer.headers['retry-after']) > 0);
    const perIp = await startHub(t, { limits: { connections_per_ip: 2 } });
    const first = await connect(perIp);
    await connect(perIp);
    assert.equal((await open(perIp)).status, 429);
    await first.close();
    await until(async () => (await open(perIp)).client, 'a place to come free');
});

test('fifty faults in a row close 1008, a good op between starts anew', async t => {
    const hub = await startHub(t);
    const a = await connect(hub);
    for (let i = 0; i < 49; i++)
        a.send('{');
    await a.sync();
    for (let i = 0; i < 50; i++)
        a.send('{');
    const { code, bye } = await a.waitClose();
    assert.equal(code, 1008);
    assert.equal(bye.code, 1008);
});

test('a binary message closes 1003', async t => {
    const hub = await startHub(t);
    const a = await connect(hub);
    a.send(Buffer.from('{}'));
    assert.equal((await a.waitClose()).code, 1003);
});

test('a token is found in each of its places', async t => {
    const hub = await startHub(t, withJwt({ credentials: { cookie: 'session', query_token: true } }));
    const token = tokenFor('alice');
    for (const options of [{ token }, { protocols: ['hubbub.v1', `hubbub.bearer.${token}`] },
        { query: { access_token: token } }, { headers: { Cookie: `a=b; session=${token}` } }]) {
        const client = await connect(hub, options);
        assert.equal(client.welcome.user, 'alice', Object.keys(options)[0]);
        assert.ok(!client.socket.protocol.includes('bearer'));
    }
    const closed = await startHub(t, withJwt({ credentials: { query_token: false } }));
    const { client } = await open(closed, { query: { access_token: token } });
    await client.fails({ type: 'join', room: 'r' }, 'unauthorized');
    assert.equal((await client.waitClose()).code, 4001);
});

test('without a token the first op must be auth, and soon', async t => {
    const hub = await startHub(t, withJwt({ limits: { auth_time: '300ms' } }));
    const a = await connect(hub, { welcome: false });
    await a.fails({ type: 'ping' }, 'unauthorized');
    const end = await a.waitClose();
    assert.equal(end.code, 4001);
    assert.equal(end.bye.reconnect, false);
    const b = await connect(hub, { welcome: false });
    assert.equal((await b.waitClose()).code, 4001);
    assert.equal((await refused(hub, 401, { token: 'x' })).code, 'unauthorized');
});

test('an auth without a token is bad_request, and the auth time runs on', async t => {
    const hub = await startHub(t, withJwt({ limits: { auth_time: '500ms' } }));
    const a = await connect(hub, { welcome: false });
    await a.fails({ type: 'auth' }, 'bad_request');
    const end = await a.waitClose();
    assert.equal(end.code, 4001);
    assert.equal(end.bye.reconnect, false);
});

test('ops of a WebSocket go over it, not by POST; DELETE ends it', async t => {
    const hub = await startHub(t);
    const a = await connect(hub), headers = { 'Hub-Ticket': a.welcome.ticket };
    const { status, json } = await hub.http('/hub/send', { method: 'POST', headers, body: { type: 'ping', id: 1 } });
    assert.deepEqual([status, json.error.code], [400, 'bad_request']);
    await a.sync();
    assert.equal((await hub.http('/hub/send', { method: 'DELETE', headers })).status, 204);
    await a.waitClose();
});

test('no refusal may be kept by a cache', async t => {
    const hub = await startHub(t);
    for (const [status, method, path] of [[426, 'GET', '/hub/ws'], [405, 'PUT', '/hub/ws'], [405, 'GET', '/hub/send'],
        [405, 'PUT', '/hub/sse'], [405, 'PUT', '/hub/poll'], [404, 'GET', '/hub/poll?ticket=x']]) {
        const answer = await hub.http(path, { method });
        assert.deepEqual([answer.status, answer.headers['cache-control']], [status, 'no-store'], `${method} ${path}`);
    }
});

test('welcome comes before the reply to auth', async t => {
    const hub = await startHub(t, withJwt());
    const a = await connect(hub, { welcome: false });
    await a.ok({ type: 'auth', token: tokenFor('alice') });
    assert.equal(a.received[0].type, 'welcome');
    assert.equal(a.received[1].type, 'reply');
    assert.equal((await a.next(m => m.type === 'joined')).room, '@alice');
    await a.fails({ type: 'auth', token: tokenFor('alice') }, 'conflict');
});

test('an anonymous session becomes a user by auth, before any other op only', async t => {
    const hub = await startHub(t, withJwt({}, { anonymous: true }));
    const a = await connect(hub);
    assert.equal(a.welcome.user, null);
    await a.ok({ type: 'auth', token: tokenFor('alice') });
    const second = await a.next(m => m.type === 'welcome');
    assert.deepEqual([second.user, second.session, second.ticket], ['alice', a.welcome.session, a.welcome.ticket]);
    const b = await connect(hub);
    await b.sync();
    await b.fails({ type: 'auth', token: tokenFor('bob') }, 'conflict');
});

test('a token that expires ends the session, unless it was refreshed', async t => {
    const hub = await startHub(t, withJwt());
    const brief = () => mint({ sub: 'alice', exp: now() + 2 });
    const a = await connect(hub, { token: brief() }), b = await connect(hub, { token: brief() });
    await b.ok({ type: 'refresh', token: tokenFor('alice') });
    const end = await a.waitClose();
    assert.equal(end.code, 4001);
    assert.equal(a.received.find(m => m.type === 'error').error.code, 'token_expired');
    assert.equal(end.bye.code, 4001);
    await b.sync();
});

test('a refresh that fails changes nothing; one that gives less leaves rooms', async t => {
    const claim = rooms => ({ hubbub: { join: rooms } });
    const hub = await startHub(t, withJwt({ rooms: [{ match: '*', join: 'claim', publish: 'members' }] }));
    const a = await connect(hub, { token: tokenFor('alice', claim(['*'])) });
    await a.join('kept');
    await a.join('lost');
    await a.fails({ type: 'refresh', token: 'x' }, 'unauthorized');
    await a.fails({ type: 'refresh', token: mint({ sub: 'alice', exp: now() - 9 }) }, 'token_expired');
    await a.fails({ type: 'refresh', token: tokenFor('bob') }, 'forbidden');
    await a.publish('lost', 1);
    await a.ok({ type: 'refresh', token: tokenFor('alice', claim(['kept'])) });
    await a.publish('kept', 1);
    await a.fails({ type: 'publish', room: 'lost' }, 'forbidden');
});

test('one notifies a user on all devices, the ones that come back later included', async t => {
    const hub = await startHub(t, withJwt());
    const phone = await connect(hub, { token: tokenFor('alice') });
    const laptop = await connect(hub, { token: tokenFor('alice') });
    const joined = await phone.next(m => m.type === 'joined');
    assert.equal(joined.room, '@alice');
    assert.equal((await hub.publish({ user: 'alice', data: 1 })).status, 200);
    assert.equal((await phone.nextMessage('@alice')).data, 1);
    assert.equal((await laptop.nextMessage('@alice')).user, null);
    await phone.close();
    await hub.publish({ user: 'alice', event: 'missed', data: 2 });
    const again = await connect(hub, { token: tokenFor('alice') });
    const page = await again.ok({ type: 'history', room: '@alice', since: joined.cursor });
    assert.deepEqual(page.messages.map(m => m.data), [1, 2]);
    const bob = await connect(hub, { token: tokenFor('bob') });
    await bob.fails({ type: 'history', room: '@alice' }, 'forbidden');
    await bob.fails({ type: 'join', room: '@alice' }, 'forbidden');
    await bob.fails({ type: 'publish', room: '@alice' }, 'forbidden');
    await bob.fails({ type: 'publish', room: '@bob' }, 'forbidden');
});

test('a foreign Origin is refused on the upgrade, its own and configured ones are not', async t => {
    const hub = await startHub(t, { cors: { origins: ['https://app.example.com'] } });
    assert.equal((await open(hub, { origin: 'https://evil.example.com' })).status, 403);
    assert.equal((await open(hub, { origin: 'null' })).status, 403);
    await connect(hub, { origin: 'https://app.example.com' });
    await connect(hub, { origin: hub.base });
});

test('two Origins are 400 on each path, also when both are allowed; a missing Host is told by its name', async t => {
    const hub = await startHub(t, { cors: { origins: ['*'] } });
    const ask = async (path, ...lines) => {
        const { head, rest, socket } = await exchange(hub.port,
            [`GET ${path} HTTP/1.1`, ...lines, 'Connection: close', '', ''].join('\r\n'));
        socket.destroy();
        return [Number(head.split(' ')[1]), rest.toString()];
    };
    for (const path of ['/hub/ws', '/hub/sse', '/hub/poll', '/'])
        assert.equal((await ask(path, 'Host: a', 'Origin: https://a.example', 'Origin: https://b.example'))[0], 400, path);
    const [status, body] = await ask('/hub/poll');
    assert.equal(status, 400);
    assert.match(body, /header Host/);
});

test('a slow consumer is closed 4008, the others get everything, and it recovers', async t => {
    const hub = await startHub(t, { limits: { outbox: '128KiB' },
        rooms: [{ ...OPEN, history: { messages: 10000, age: '5m', bytes: '100MB' } }] });
    const fast = await connect(hub), slow = await connect(hub);
    await fast.join('r');
    const { cursor } = await slow.join('r');
    slow.pause();
    const data = 'x'.repeat(20_000), count = 1000;
    for (let i = 0; i < count; i++) {
        await fast.publish('r', { i, data });
        // its close frame has five seconds to be read
        if (i % 50 === 0 && await hub.metric('hubbub_slow_consumers_total') === 1)
            slow.resume();
    }
    await until(() => fast.messages('r').length === count, 'all messages');
    assert.equal((await slow.waitClose()).code, 4008);
    const again = await connect(hub);
    const got = slow.messages('r');
    const reply = await again.join('r', { since: got.at(-1)?.cursor ?? cursor });
    assert.equal(reply.recovered, true);
    await until(() => got.length + again.messages('r').length >= count, 'the rest');
    assert.deepEqual([...got, ...again.messages('r')].map(m => m.data.i), Array.from({ length: count }, (_, i) => i));
    const metrics = (await hub.admin('/metrics')).text;
    assert.match(metrics, /^hubbub_slow_consumers_total 1$/m);
});

test('a client that stops answering pings is closed 4009', async t => {
    const hub = await startHub(t, { heartbeat: { interval: '200ms', timeout: '200ms' } });
    const quiet = await connect(hub, { ws: { autoPong: false } });
    const live = await connect(hub);
    const end = await quiet.waitClose();
    assert.equal(end.code, 4009);
    assert.equal(end.bye.code, 4009);
    await live.sync();
});

test('a plugin may answer late, twice, or after its client left', async t => {
    const abi = { directories: [joinPath(buildDir, 'tests', 'abi'), joinPath(buildDir, 'plugins')] };
    const hub = await startHub(t, { plugins: { ...abi, load: [{ late: { hook: 'publish', verdict: 'allow', delay: '20ms' } }] } });
    const a = await connect(hub);
    await a.join('r');
    const replies = await Promise.all([a.request({ type: 'publish', room: 'r', event: 'one' }),
        a.request({ type: 'publish', room: 'r', event: 'two' }), a.request({ type: 'ping' })]);
    assert.ok(replies.every(reply => reply.ok));
    await until(() => a.messages('r').length === 2, 'both');
    assert.deepEqual(a.messages('r').map(m => m.event), ['one', 'two']);
    const twice = await startHub(t, { plugins: { ...abi, load: [{ 'late-twice': { hook: 'join', verdict: 'deny' } }] } });
    const b = await connect(twice);
    assert.equal((await b.request({ type: 'join', room: 'r' })).ok, false);
    const gone = await startHub(t, { plugins: { ...abi, load: [{ 'late-gone': { hook: 'publish', verdict: 'allow' } }] } });
    const c = await connect(gone);
    await c.join('r');
    c.send({ type: 'publish', room: 'r', data: 1 });
    await c.close();
    const d = await connect(gone);
    await d.join('r');
});

test('a plugin past its budget is named in the log, one that hangs by the watchdog; an older one works', async t => {
    const directories = [joinPath(buildDir, 'tests', 'abi'), joinPath(buildDir, 'plugins')];
    const hub = await startHub(t, { limits: { hook_budget: '50ms' },
        plugins: { directories, load: [{ older: { greeting: '"still here"' } }, { slow: { block: '200ms' } }] } });
    const a = await connect(hub);
    assert.equal((await a.ok({ type: 'call', event: 'older' })).data, 'slow', 'the later of two answers counts');
    await hub.logged(/slow-plugin.*plugin=slow/);
    const alone = await startHub(t, { plugins: { directories, load: [{ older: { greeting: '"still here"' } }] } });
    const b = await connect(alone);
    assert.equal((await b.ok({ type: 'call', event: 'older' })).data, 'still here');
    const stuck = await startHub(t, { limits: { hook_budget: '50ms' }, workers: 2,
        plugins: { directories, load: [{ slow: { block: '8s', where: 'opened' } }] } });
    const hanging = connect(stuck);
    await stuck.logged(/stuck.*inside slow/, { deadline: 9_000 });
    assert.equal((await stuck.admin('/healthz')).status, 503);
    await until(async () => (await stuck.admin('/healthz')).status === 200, 'the worker to come back');
    await hanging;
});

test('a plugin is named wherever it stays too long: also where it is only told, and in its timers', async t => {
    const plugins = (where, block) => ({ directories: [joinPath(buildDir, 'tests', 'abi'), joinPath(buildDir, 'plugins')],
        load: [{ slow: { where, block } }] });
    for (const where of ['opened', 'left', 'timer']) {
        const hub = await startHub(t, { limits: { hook_budget: '50ms' }, plugins: plugins(where, '200ms') });
        const a = await connect(hub);
        await a.ok({ type: 'call', event: 'x' });
        await a.join('r');
        await a.leave('r');
        await hub.logged(/slow-plugin.*plugin=slow/);
        if (where !== 'timer')
            assert.ok(await hub.metric('hubbub_hook_seconds_sum', { plugin: 'slow', hook: where }) >= 0.2, where);
        await hub.stop();
    }
});
