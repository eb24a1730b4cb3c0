// webhook with the real server and a real backend in Node, which also is slow, down and hostile.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { sign, webhook } from '../../examples/webhook-backend/webhook.mjs';
import { connect, open, refused } from './lib/client.mjs';
import { freePort } from './lib/ports.mjs';
import { shipped, startHub } from './lib/server.mjs';
import { until, within } from './lib/until.mjs';

const SECRET = 'a-secret-that-is-long-enough-for-this';

/** Listens until the test ends; gives the port. */
async function listen(t, server, port) {
    server.listen(port ?? await freePort(), '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
        server.closeAllConnections?.();
        server.close();
    });
    return server.address().port;
}

/** A backend that keeps what it was asked and told. `handlers` may be changed while it runs. */
async function startBackend(t, handlers = {}, { port } = {}) {
    const backend = { asked: [], events: [], batches: [], handlers };
    const kept = Object.fromEntries(['connect', 'join', 'publish', 'call'].map(type => [type, question => {
        backend.asked.push(question);
        return backend.handlers[type]?.(question);
    }]));
    kept.events = async batch => {
        await backend.handlers.events?.(batch);
        backend.batches.push(batch);
        backend.events.push(...batch.events);
    };
    backend.server = createServer(webhook({ secret: SECRET, handlers: kept, log: () => {} }));
    backend.port = await listen(t, backend.server, port);
    backend.url = `http://127.0.0.1:${backend.port}/hubbub`;
    backend.told = (type, match = {}) => until(() => backend.events.find(event => event.type === type
        && Object.entries(match).every(([key, value]) => event[key] === value)),
    () => `${type} ${JSON.stringify(match)}; told: ${JSON.stringify(backend.events)}`);
    return backend;
}

const config = (url, options, more = {}) => ({
    transports: { websocket: {} },
    plugins: { drop_in: [], load: [{ webhook: { url, secret: SECRET, ...options } }] },
    rooms: [{ match: '*', join: 'anyone', publish: 'members', history: { messages: 100, age: '5m' } }],
    ...more,
});

const FAST = { delay: '10ms', retry: '20ms', retry_max: '100ms' };

/* ---- Questions. */

test('connect: the backend says who it is, from a token or a cookie', async t => {
    const backend = await startBackend(t, {
        connect: ({ credential, headers }) => credential === 'alice-token' ? { allow: true, user: 'alice' }
            : headers.cookie === 'session=bob' ? { allow: true, user: 'bob' }
                : { allow: false, error: { code: 'unauthorized', message: 'Who are you?' } },
    });
    const hub = await startHub(t, config(backend.url, { hooks: ['connect'], authenticate: true, headers: ['Cookie', 'x-tenant'] }));
    assert.equal((await connect(hub, { token: 'alice-token' })).welcome.user, 'alice');
    assert.equal((await connect(hub, { headers: { cookie: 'session=bob', 'x-tenant': 'é"', 'x-other': 'no' } })).welcome.user, 'bob');
    const error = await refused(hub, 401, { token: 'wrong' });
    assert.equal(error.message, 'Who are you?');
    const [first, second] = backend.asked;
    assert.equal(first.type, 'connect');
    assert.equal(first.refresh, false);
    assert.equal(first.remote, '127.0.0.1');
    assert.equal(first.transport, 'websocket');
    assert.deepEqual(first.headers, {});
    assert.deepEqual(Object.keys(second.headers).sort(), ['cookie', 'x-tenant']);
    assert.equal(second.credential, null);
});

test('connect: the op auth is asked like a request, and tells of the session when it is open', async t => {
    const backend = await startBackend(t, {
        connect: ({ credential }) => credential ? { allow: true, user: credential }
            : { allow: false, error: { code: 'unauthorized' } },
    });
    const hub = await startHub(t, config(backend.url, { hooks: ['connect'], authenticate: true, events: ['sessions', 'users'],
        batch: FAST, grace: '0s' }));
    const client = await connect(hub, { welcome: false });
    client.send({ type: 'auth', token: 'carol' });
    const welcome = await client.next(message => message.type === 'welcome');
    assert.equal(welcome.user, 'carol');
    await backend.told('session_opened', { session: welcome.session, user: 'carol' });
    await backend.told('user_online', { user: 'carol' });
    assert.equal(await hub.metric('hubbub_sessions'), 1);
    await client.close();
    await backend.told('user_offline', { user: 'carol' });
    assert.equal(await hub.metric('hubbub_sessions'), 0);
});

test('a session that was open without a user is its user\'s from its auth on', async t => {
    const backend = await startBackend(t, { connect: ({ credential }) => ({ allow: true, user: credential }) });
    const hub = await startHub(t, config(backend.url, { hooks: ['connect'], authenticate: true, events: ['users'],
        batch: FAST, grace: '0s' }));
    const client = await connect(hub);
    assert.equal(client.welcome.user, null);
    await client.ok({ type: 'auth', token: 'dave' });
    await backend.told('user_online', { user: 'dave' });
    await client.close();
    await backend.told('user_offline', { user: 'dave' });
});

test('connect: rights and the end of the credential come with the answer', async t => {
    const backend = await startBackend(t, {
        connect: () => ({ allow: true, user: 'alice', rights: { join: ['news:*'], publish: [] },
            expires_at: Math.floor(Date.now() / 1000) + 2 }),
    });
    const hub = await startHub(t, config(backend.url, { hooks: ['connect'], authenticate: true },
        { rooms: [{ match: '*', join: 'claim', publish: 'claim' }] }));
    const alice = await connect(hub, { token: 'x' });
    await alice.join('news:sport');
    await alice.fails({ type: 'join', room: 'other' }, 'forbidden');
    await alice.fails({ type: 'publish', room: 'news:sport' }, 'forbidden');
    assert.equal((await alice.waitClose()).code, 4001);
});

test('connect: without authenticate it may only refuse', async t => {
    const backend = await startBackend(t, {
        connect: ({ credential }) => ({ allow: credential !== 'banned', user: 'somebody' }),
    });
    const hub = await startHub(t, config(backend.url, { hooks: ['connect'] }));
    assert.equal((await connect(hub)).welcome.user, null);
    await refused(hub, 401, { token: 'banned' });
});

test('join: allowed, refused, or left to the rules; only in the rooms that are named', async t => {
    const backend = await startBackend(t, {
        join: ({ room, data }) => ({
            'secret:yes': { allow: true },
            'secret:no': { allow: false, error: { code: 'not_found', message: 'No such room' } },
            'secret:data': { allow: data?.code === 7 },
        })[room],
    });
    const hub = await startHub(t, config(backend.url, { hooks: ['join'], rooms: ['secret:*'] },
        { rooms: [{ match: 'secret:*', join: 'nobody', publish: 'members' }, { match: '*', join: 'anyone' }] }));
    const alice = await connect(hub);
    await alice.join('secret:yes');
    const error = await alice.fails({ type: 'join', room: 'secret:no' }, 'not_found');
    assert.equal(error.message, 'No such room');
    await alice.fails({ type: 'join', room: 'secret:rules' }, 'unauthorized');
    await alice.fails({ type: 'join', room: 'secret:data', data: { code: 8 } }, 'unauthorized');
    await alice.join('secret:data', { data: { code: 7 } });
    await alice.join('open');
    assert.deepEqual(backend.asked.map(({ room }) => room),
        ['secret:yes', 'secret:no', 'secret:rules', 'secret:data', 'secret:data']);
});

test('publish: rewritten byte for byte, with or without an opinion; refused; in order', async t => {
    const raw = '{"z":1.10,"big":12345678901234567890,"exp":1e400,"s":"\\u00fc"}';
    const server = createServer((request, response) => {
        const chunks = [];
        request.on('data', chunk => chunks.push(chunk)).on('end', () => {
            const { data, room } = JSON.parse(Buffer.concat(chunks));
            if (data === 'rewrite')
                response.end(`{"data": ${raw} }`);
            else if (data === 'rewrite and allow')
                response.end('{"allow":true,"data":"done"}');
            else if (data === 'no')
                response.writeHead(403).end('{"error":{"message":"Not that"}}');
            else
                setTimeout(() => response.writeHead(204).end(), room === 'slow' ? 20 - data : 0);
        });
    });
    const port = await listen(t, server);
    const hub = await startHub(t, config(`http://127.0.0.1:${port}/`, { hooks: ['publish'] }));
    const [alice, bob] = [await connect(hub), await connect(hub)];
    let text;
    bob.socket.on('message', data => { text = data.toString(); });
    for (const room of ['lobby', 'slow'])
        await bob.join(room);
    await alice.fails({ type: 'publish', room: 'lobby', data: 'rewrite' }, 'unauthorized'); // no member: the rules say no
    await alice.publish('lobby', 'rewrite and allow');
    assert.equal((await bob.nextMessage('lobby')).data, 'done');
    for (const room of ['lobby', 'slow'])
        await alice.join(room);
    await alice.publish('lobby', 'rewrite');
    await bob.nextMessage('lobby');
    assert.ok(text.includes(`"data":${raw}`), text);
    const error = await alice.fails({ type: 'publish', room: 'lobby', data: 'no' }, 'forbidden');
    assert.equal(error.message, 'Not that');
    for (let i = 0; i < 20; i++)
        alice.send({ type: 'publish', room: 'slow', data: i });
    await bob.next(message => message.data === 19);
    assert.deepEqual(bob.messages('slow').map(({ data }) => data), Array.from({ length: 20 }, (_, i) => i));
});

test('call: request and reply, an error, and what nobody answers', async t => {
    const backend = await startBackend(t, {
        call: ({ event, data, user }) => ({
            double: { data: data * 2 }, nothing: undefined, none: { data: null },
            bad: { error: { code: 'conflict', message: 'Twice', retry_after: 70 } },
        })[event],
    });
    const hub = await startHub(t, config(backend.url, { hooks: ['call'] }));
    const alice = await connect(hub);
    assert.equal((await alice.ok({ type: 'call', event: 'double', data: 21 })).data, 42);
    assert.equal((await alice.ok({ type: 'call', event: 'none' })).data, null);
    await alice.fails({ type: 'call', event: 'nothing' }, 'not_found');
    const error = await alice.fails({ type: 'call', event: 'bad' }, 'conflict');
    assert.equal(error.message, 'Twice');
    const replies = await Promise.all((await Promise.all(Array.from({ length: 20 }, () => connect(hub))))
        .flatMap(client => Array.from({ length: 20 }, (_, i) => client.ok({ type: 'call', event: 'double', data: i }))));
    assert.deepEqual(replies.map(({ data }) => data), Array.from({ length: 400 }, (_, i) => i % 20 * 2));
    assert.equal(await hub.metric('hubbub_webhook_requests_total', { hook: 'call' }), 404);
    assert.equal(await hub.metric('hubbub_webhook_pending'), 0);
});

test('each request is signed with each secret', async t => {
    const seen = [];
    const server = createServer((request, response) => {
        let body = '';
        request.on('data', chunk => { body += chunk; }).on('end', () => {
            seen.push({ headers: request.headers, body });
            response.writeHead(204).end();
        });
    });
    const port = await listen(t, server);
    const secrets = [SECRET, 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'];
    const hub = await startHub(t, config(`http://127.0.0.1:${port}/`, { secret: secrets, hooks: ['connect'] }));
    await connect(hub);
    await connect(hub);
    assert.equal(seen.length, 2);
    assert.notEqual(seen[0].headers['webhook-id'], seen[1].headers['webhook-id']);
    for (const { headers, body } of seen) {
        const wanted = secrets.map(secret => `v1,${sign(secret, headers['webhook-id'], headers['webhook-timestamp'], body)}`);
        assert.equal(headers['webhook-signature'], wanted.join(' '));
        assert.ok(Math.abs(Number(headers['webhook-timestamp']) - Date.now() / 1000) < 60);
        assert.equal(headers['content-type'], 'application/json');
        assert.equal(headers.expect, undefined);
    }
});

test('a backend that restarts is asked again over a new connection', async t => {
    const first = await startBackend(t, { call: () => ({ data: 1 }) });
    const hub = await startHub(t, config(first.url, { hooks: ['call'] }));
    const alice = await connect(hub);
    assert.equal((await alice.ok({ type: 'call', event: 'x' })).data, 1);
    first.server.closeAllConnections();
    await new Promise(done => first.server.close(done));
    await alice.fails({ type: 'call', event: 'x' }, 'unavailable');
    await startBackend(t, { call: () => ({ data: 2 }) }, { port: first.port });
    assert.equal((await alice.ok({ type: 'call', event: 'x' })).data, 2);
});

/* ---- A backend that is slow, down, hostile. */

test('a backend that is down: the configured answers, and counters', async t => {
    const port = await freePort();
    const hub = await startHub(t, config(`http://127.0.0.1:${port}/`, { hooks: ['connect', 'join', 'publish', 'call'],
        failure: { connect: 'pass', join: 'allow', publish: 'refuse' } },
    { rooms: [{ match: '*', join: 'nobody', publish: 'anyone' }] }));
    const alice = await connect(hub);
    await alice.join('lobby');
    const error = await alice.fails({ type: 'publish', room: 'lobby' }, 'unavailable');
    assert.ok(error.retry_after > 0);
    await alice.fails({ type: 'call', event: 'x' }, 'unavailable');
    assert.equal(await hub.metric('hubbub_webhook_failures_total', { reason: 'connect' }), 4);
    await hub.logged(/webhook_down/);
});

test('authentication does not fail open', async t => {
    const port = await freePort();
    const hub = await startHub(t, config(`http://127.0.0.1:${port}/`, { hooks: ['connect'], authenticate: true }));
    await refused(hub, 503, { token: 'alice' });
});

test('a slow backend costs its time and no more, and holds up nobody who does not ask', async t => {
    const backend = await startBackend(t, { call: () => new Promise(() => {}) });
    const hub = await startHub(t, config(backend.url, { hooks: ['call'], timeout: '300ms', concurrency: 4, queue: 8 }));
    const clients = await Promise.all(Array.from({ length: 40 }, () => connect(hub)));
    const calls = clients.map(client => client.request({ type: 'call', event: 'x' }));
    const other = await connect(hub);
    await other.join('lobby');
    await other.publish('lobby', 1);
    for (const { error } of await Promise.all(calls))
        assert.equal(error.code, 'unavailable');
    assert.ok(await hub.metric('hubbub_webhook_failures_total', { reason: 'timeout' }) > 0);
    assert.ok(await hub.metric('hubbub_webhook_failures_total', { reason: 'overload' }) > 0);
    assert.ok(backend.asked.length <= 12, `${backend.asked.length} reached it`);
    backend.handlers.call = () => ({ data: 'well again' });
    assert.equal((await other.ok({ type: 'call', event: 'x' })).data, 'well again');
    assert.equal(await hub.metric('hubbub_webhook_pending'), 0);
});

const hostile = {
    'closes at once': [socket => socket.destroy(), 'network'],
    'sends no HTTP': [socket => socket.end('SSH-2.0-OpenSSH_9.2\r\n\r\n'), 'network'],
    'sends an endless head': [socket => {
        socket.write('HTTP/1.1 200 OK\r\n');
        const timer = setInterval(() => socket.write(`X-${Math.random()}: ${'x'.repeat(8000)}\r\n`), 1);
        socket.on('close', () => clearInterval(timer));
    }, /network|timeout/],
    'goes on about going on': [socket => {
        const timer = setInterval(() => socket.write('HTTP/1.1 100 Continue\r\n\r\n'.repeat(100)), 1);
        socket.on('close', () => clearInterval(timer));
    }, /network|timeout/],
    'breaks off': [socket => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"data":1}'), 'network'],
    'breaks off a chunk': [socket => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n{"data":1}\r\n'), 'network'],
    'counts its chunks wrong': [socket => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{"data":1}\r\n0\r\n\r\n'), 'network'],
    'announces too much': [socket => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{'), 'too_large'],
    'sends too much': [socket => {
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
        for (let i = 0; i < 20; i++)
            socket.write(`1000\r\n${' '.repeat(4096)}\r\n`);
    }, 'too_large'],
    'drips': [socket => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n');
        const timer = setInterval(() => socket.write(' '), 20);
        socket.on('close', () => clearInterval(timer));
    }, 'timeout'],
    'redirects': [socket => socket.end('HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n'), 'status'],
    'answers 500': [socket => socket.end('HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n'), 'status'],
    'answers HTML': [socket => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>'), 'answer'],
    'answers half a surrogate': [socket => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 17\r\n\r\n{"data":"\\ud800"}'), 'answer'],
    'answers nesting': [socket => {
        const body = `{"data":${'['.repeat(1000)}${']'.repeat(1000)}}`;
        socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    }, 'answer'],
};

for (const [name, [behave, reason]] of Object.entries(hostile))
    test(`a hostile backend ${name}: unavailable, and counted`, async t => {
        const server = createTcpServer(socket => {
            socket.on('error', () => {});
            socket.once('data', () => behave(socket));
            t.after(() => socket.destroy());
        });
        const port = await listen(t, server);
        const hub = await startHub(t, config(`http://127.0.0.1:${port}/`, { hooks: ['call'], timeout: '500ms', response_size: '16KiB' }));
        const alice = await connect(hub);
        await alice.fails({ type: 'call', event: 'x' }, 'unavailable');
        const { text } = await hub.admin('/metrics');
        const [, counted] = text.match(/hubbub_webhook_failures_total\{reason="(\w+)"\} 1/) ?? [];
        assert.match(counted ?? 'nothing', typeof reason === 'string' ? new RegExp(`^${reason}$`) : reason);
        await alice.sync();
    });

test('certificates are verified', async t => {
    const folder = mkdtempSync(join(tmpdir(), 'hubbub-tls-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', certificate,
        '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'], { stdio: 'ignore' });
    const server = createTlsServer({ key: readFileSync(key), cert: readFileSync(certificate) },
        webhook({ secret: SECRET, handlers: { call: () => ({ data: 'secure' }) } }));
    const port = await listen(t, server);
    const ask = async (url, options) => {
        const hub = await startHub(t, config(url, { hooks: ['call'], ...options }));
        return (await connect(hub)).request({ type: 'call', event: 'x' });
    };
    assert.equal((await ask(`https://localhost:${port}/`, { ca_file: certificate })).data, 'secure');
    assert.equal((await ask(`https://localhost:${port}/`)).error.code, 'unavailable');
    assert.equal((await ask(`https://127.0.0.1:${port}/`, { ca_file: certificate })).error.code, 'unavailable');
});

/* ---- Events. */

test('sessions, rooms and users are told, in order, once', async t => {
    const backend = await startBackend(t, { connect: ({ credential }) => ({ allow: true, user: credential }) });
    const hub = await startHub(t, config(backend.url, { hooks: ['connect'], authenticate: true,
        events: ['sessions', 'rooms', 'users'], grace: '0s', batch: FAST }, { workers: 4 }));
    const phone = await connect(hub, { token: 'alice' }), laptop = await connect(hub, { token: 'alice' });
    await phone.join('lobby');
    await laptop.join('lobby');
    await phone.leave('lobby');
    await laptop.leave('lobby');
    await phone.close();
    await laptop.close();
    await backend.told('user_offline', { user: 'alice' });
    await backend.told('session_closed', { session: laptop.welcome.session, reason: 'client', user: 'alice' });
    const types = backend.events.filter(({ type }) => !type.startsWith('session_')).map(({ type }) => type);
    assert.deepEqual(types, ['server_started', 'user_online', 'room_occupied', 'room_vacated', 'user_offline']);
    assert.equal(backend.events.filter(({ type }) => type === 'session_opened').length, 2);
    assert.equal(new Set(backend.batches.map(({ instance }) => instance)).size, 1);
    assert.ok(backend.batches.every(({ lost }) => lost === 0));
    await hub.stop();
    assert.equal(backend.events.at(-1).type, 'server_stopped');
});

test('who comes back within the grace was never gone; a drain tells of all that ends', async t => {
    const backend = await startBackend(t, { connect: ({ credential }) => ({ allow: true, user: credential }) });
    const hub = await startHub(t, config(backend.url, { hooks: ['connect'], authenticate: true,
        events: ['rooms', 'users'], grace: '1h', batch: FAST }));
    for (let i = 0; i < 3; i++) {
        const alice = await connect(hub, { token: 'alice' });
        await alice.join('lobby');
        alice.terminate();
    }
    await until(async () => await hub.metric('hubbub_sessions') === 0, 'the sessions to end');
    await hub.stop();
    assert.deepEqual(backend.events.map(({ type }) => type),
        ['server_started', 'user_online', 'room_occupied', 'room_vacated', 'user_offline', 'server_stopped']);
});

test('events wait for a backend that is away, and come in order, each once', async t => {
    let fail = true;
    const backend = await startBackend(t, {
        events: () => {
            if (fail)
                throw new Error('not now');
        },
    });
    const hub = await startHub(t, config(backend.url, { events: ['rooms'], grace: '0s', batch: { ...FAST, events: 7 } }));
    const alice = await connect(hub);
    for (let i = 0; i < 30; i++) {
        await alice.join(`r${i}`);
        await alice.leave(`r${i}`);
    }
    await until(async () => await hub.metric('hubbub_webhook_failures_total', { reason: 'status' }) >= 2, 'attempts');
    fail = false;
    await backend.told('room_vacated', { room: 'r29' });
    assert.deepEqual(backend.events.slice(1).map(({ type, room }) => `${type} ${room}`), Array.from({ length: 30 },
        (_, i) => [`room_occupied r${i}`, `room_vacated r${i}`]).flat());
    await until(async () => await hub.metric('hubbub_webhook_events_total') === 61, 'the metric');
    assert.equal(await hub.metric('hubbub_webhook_events_waiting'), 0);
});

test('an answer that is lost brings the batch again, under the same id', async t => {
    const ids = [];
    const server = createServer((request, response) => {
        request.resume().on('end', () => {
            ids.push(request.headers['webhook-id']);
            if (ids.length < 3)
                request.socket.destroy();
            else
                response.writeHead(204).end();
        });
    });
    const port = await listen(t, server);
    const hub = await startHub(t, config(`http://127.0.0.1:${port}/`, { events: ['rooms'], batch: FAST }));
    await until(async () => await hub.metric('hubbub_webhook_events_total') === 1, 'the event to be taken');
    assert.ok(ids.length >= 3);
    assert.equal(new Set(ids).size, 1);
});

test('a backend that wants none of it is told how many events it lost', async t => {
    let status = 422;
    const bodies = [];
    const server = createServer((request, response) => {
        let body = '';
        request.on('data', chunk => { body += chunk; }).on('end', () => {
            bodies.push(JSON.parse(body));
            response.writeHead(status).end();
        });
    });
    const port = await listen(t, server);
    const hub = await startHub(t, config(`http://127.0.0.1:${port}/`, { events: ['rooms'], grace: '0s', batch: FAST }));
    await until(async () => await hub.metric('hubbub_webhook_events_lost_total', { reason: 'rejected' }) === 1, 'a rejection');
    status = 200;
    const alice = await connect(hub);
    await alice.join('lobby');
    await until(() => bodies.at(-1).events[0].type === 'room_occupied', 'the next event');
    assert.equal(bodies.at(-1).lost, 1);
    await alice.leave('lobby');
    await until(() => bodies.at(-1).events[0].type === 'room_vacated', 'the one after');
    assert.equal(bodies.at(-1).lost, 0);
});

test('what waits is bounded', async t => {
    const port = await freePort();
    const hub = await startHub(t, config(`http://127.0.0.1:${port}/`, { events: ['rooms'], grace: '0s',
        batch: { ...FAST, queue: 10, attempts: 1000 } }));
    const alice = await connect(hub);
    for (let i = 0; i < 20; i++) {
        await alice.join(`r${i}`);
        await alice.leave(`r${i}`);
    }
    await until(async () => await hub.metric('hubbub_webhook_events_lost_total', { reason: 'overflow' }) === 31, 'the metric');
    assert.equal(await hub.metric('hubbub_webhook_events_waiting'), 10);
});

/* ---- Reload. */

test('a reload changes what is asked and where, while questions are out', async t => {
    let release;
    const first = await startBackend(t, { call: ({ event }) => event !== 'x' ? { data: 'still the first' }
        : new Promise(done => { release = () => done({ data: 'first' }); }) });
    const second = await startBackend(t, { call: () => ({ data: 'second' }) });
    const hub = await startHub(t, config(first.url, { hooks: ['call'] }));
    const [alice, bob] = [await connect(hub), await connect(hub)];
    const waiting = alice.ok({ type: 'call', event: 'x' });
    await until(() => release, 'the first question');
    hub.hup(config(second.url, { hooks: ['call'], calls: ['y*'] }));
    await until(async () => (await bob.request({ type: 'call', event: 'y1' })).data === 'second', 'the second backend');
    await bob.fails({ type: 'call', event: 'x' }, 'not_found');
    release();
    assert.equal((await waiting).data, 'first');
    hub.hup(config(second.url, { hooks: ['cal'] }));
    await hub.logged(/hooks: takes connect, join, publish and call/);
    assert.equal((await bob.ok({ type: 'call', event: 'y2' })).data, 'second');
});

test('a session that leaves while its question is out leaves nothing behind', async t => {
    const release = [];
    const backend = await startBackend(t, { call: () => new Promise(done => release.push(done)),
        connect: ({ credential }) => credential ? new Promise(done => release.push(() => done({ allow: true }))) : undefined });
    const hub = await startHub(t, config(backend.url, { hooks: ['connect', 'call'] }));
    const alice = await connect(hub);
    alice.send({ type: 'call', event: 'x' });
    await until(() => release.length === 1, 'the call');
    alice.terminate();
    const opening = open(hub, { token: 'x' }).catch(() => null);
    await until(() => release.length === 2, 'the connect');
    for (const client of hub.clients)
        client.terminate();
    await opening;
    await until(async () => await hub.metric('hubbub_sessions') === 0, 'the session to end');
    release.forEach(done => done());
    await until(async () => await hub.metric('hubbub_webhook_pending') === 0, 'the answers');
});

/* ---- The example. */

test('the example works as its README says', async t => {
    const port = await freePort();
    const child = spawn(process.execPath, [shipped('examples/webhook-backend/server.mjs'), String(port)],
        { env: { ...process.env, WEBHOOK_SECRET: SECRET }, stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => child.kill());
    await within(once(child.stdout, 'data'), 'the example to listen');
    const text = readFileSync(shipped('examples/webhook-backend/hubbub.yaml'), 'utf8')
        .replace(/^listen:.*$/m, 'listen: [{address: 127.0.0.1, port: "${PORT}"}]\nadmin: {port: "${ADMIN_PORT}"}')
        .replace('127.0.0.1:8080', `127.0.0.1:${port}`);
    const hub = await startHub(t, text, { env: { WEBHOOK_SECRET: SECRET } });
    const alice = await connect(hub, { token: 'alice-password' }), bob = await connect(hub, { token: 'bob-password' });
    await alice.join('private:alice');
    await bob.fails({ type: 'join', room: 'private:alice' }, 'forbidden');
    for (const client of [alice, bob])
        await client.join('lobby');
    await alice.publish('lobby', { text: 'darn it' });
    assert.deepEqual((await bob.nextMessage('lobby')).data, { text: '**** it' });
    const { data } = await alice.ok({ type: 'call', event: 'roll', data: { sides: 4 } });
    assert.ok(data.user === 'alice' && data.rolled >= 1 && data.rolled <= 4);
    await until(async () => (await bob.ok({ type: 'call', event: 'online' })).data.length === 2, 'both to be online');
    await refused(hub, 401, { token: 'nobody' });
});
