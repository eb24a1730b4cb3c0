// auth-jwt with the real server: which tokens open a session, over every transport, and what ends one.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHmac, createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { connect, open, refused } from './lib/client.mjs';
import { SECRET, brokenTokens, ecKeys, mint, rsaKeys, tokenFor } from './lib/jwt.mjs';
import { connectPoll, openPoll, refusedPoll } from './lib/poll.mjs';
import { startHub } from './lib/server.mjs';
import { connect as connectIo, open as openIo, inState, told } from './lib/sio.mjs';
import { connectSse, openSse, refusedSse } from './lib/sse.mjs';
import { until } from './lib/until.mjs';

const ALL = { websocket: {}, sse: {}, longpoll: { linger: '1m' }, socketio: {} };
const HISTORY = { messages: 100, age: '5m' };
const now = () => Math.floor(Date.now() / 1000);
const config = (options, more = {}) => ({
    transports: ALL,
    plugins: { drop_in: [], load: [{ 'auth-jwt': options }] },
    rooms: [{ match: '*', join: 'anyone', publish: 'members', history: HISTORY }],
    ...more,
});

function folder(t) {
    const path = mkdtempSync(join(tmpdir(), 'hubbub-jwt-'));
    t.after(() => rmSync(path, { recursive: true, force: true }));
    return path;
}

const pair = curve => generateKeyPairSync('ec', { namedCurve: curve,
    publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } });

/** A key as a JWK Set has it. */
const jwk = (publicKey, kid, algorithm) => ({ ...createPublicKey(publicKey).export({ format: 'jwk' }), kid, alg: algorithm, use: 'sig' });

/** Any header and claims, as text, signed with the secret. */
function sealed(header, claims) {
    const input = [header, claims].map(text => Buffer.from(text).toString('base64url')).join('.');
    return `${input}.${createHmac('sha256', SECRET).update(input).digest('base64url')}`;
}

/** Not opened over any transport, and told so each time. */
async function refusedEverywhere(t, hub, token, name) {
    for (const refuse of [refused, refusedSse, refusedPoll])
        assert.match((await refuse(hub, 401, { token })).code, /^(unauthorized|token_expired)$/, name);
    const socket = openIo(t, hub, { token, transports: ['websocket'], reconnection: false });
    await until(() => socket.states.length, `${name} over Socket.IO`);
    assert.match(socket.states[0], /^error/, name);
    socket.close();
}

test('HS, RS and ES, each with 256, 384 and 512 bits: the kid names the key, which is pinned to its algorithm', async t => {
    const place = folder(t), rsa = rsaKeys(), curves = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };
    const signing = {}, keys = [];
    for (const algorithm of ['HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512']) {
        const own = algorithm.startsWith('HS') ? randomBytes(48).toString('hex')
            : algorithm.startsWith('RS') ? rsa : pair(curves[algorithm]);
        const file = join(place, `${algorithm}.pem`);
        if (own.publicKey)
            writeFileSync(file, own.publicKey);
        signing[algorithm] = own.privateKey ?? own;
        keys.push({ kid: `k-${algorithm}`, algorithm, ...own.publicKey ? { file } : { secret: own } });
    }
    const hub = await startHub(t, config({ keys }));
    for (const algorithm of Object.keys(signing)) {
        const named = kid => mint({ sub: algorithm }, { algorithm, key: signing[algorithm], header: { kid } });
        assert.equal((await connect(hub, { token: named(`k-${algorithm}`) })).welcome.user, algorithm);
        for (const other of Object.keys(signing).filter(name => name !== algorithm))
            await refused(hub, 401, { token: named(`k-${other}`) });
        await refused(hub, 401, { token: named('nobody') });
    }
    await refused(hub, 401, { token: mint({ sub: 'mallory' }, { key: rsa.publicKey, header: { kid: 'k-RS256' } }) });
});

test('tokens that are wrong, confused or hostile open nothing, over any transport', async t => {
    const place = folder(t), rsa = rsaKeys(), ec = ecKeys(), own = ecKeys();
    writeFileSync(join(place, 'rsa.pem'), rsa.publicKey);
    writeFileSync(join(place, 'ec.pem'), ec.publicKey);
    const hub = await startHub(t, config({ secret: SECRET, algorithms: ['HS256', 'RS256', 'ES256'],
        public_key: [join(place, 'rsa.pem'), join(place, 'ec.pem')] }, { limits: { message_size: '1MB' } }));
    const good = sealed('{"alg":"HS256"}', '{"sub":"alice"}');
    await connect(hub, { token: good });
    const bad = {
        ...brokenTokens({ publicKey: rsa.publicKey }),
        'HS256 signed with the text of the EC key': mint({ sub: 'mallory' }, { key: ec.publicKey }),
        'a key of its own in the header': mint({ sub: 'mallory' }, { algorithm: 'ES256', key: own.privateKey,
            header: { jwk: jwk(own.publicKey, 'x', 'ES256'), jku: 'http://127.0.0.1:1/', x5u: 'http://127.0.0.1:1/' } }),
        'an RSA signature under the name ES256': mint({ sub: 'mallory' }, { algorithm: 'RS256', key: rsa.privateKey, header: { alg: 'ES256' } }),
        'a subject twice': sealed('{"alg":"HS256"}', '{"sub":"alice","sub":"root"}'),
        'an algorithm twice': sealed('{"alg":"none","alg":"HS256"}', '{"sub":"alice"}'),
        'a critical header': sealed('{"alg":"HS256","crit":["x"],"x":1}', '{"sub":"alice"}'),
        'a header nested 3,000 deep': sealed(`{"alg":"HS256","x":${'['.repeat(3000)}${']'.repeat(3000)}}`, '{}'),
        'claims nested 3,000 deep': sealed('{"alg":"HS256"}', `{"sub":"alice","x":${'['.repeat(3000)}${']'.repeat(3000)}}`),
        'a header of 1,000 keys': sealed(`{"alg":"none",${Array.from({ length: 1000 }, (_, i) => `"k${i}":${i}`)}}`, '{}'),
        'a user that the server keeps to itself': tokenFor('@alice'),
        'a user with a line break': tokenFor('a\nb'),
        'a NUL in the user': tokenFor('a\0b'),
        'rights of another shape': tokenFor('alice', { hubbub: { join: 'all' } }),
    };
    delete bad['an empty token']; // none, over Socket.IO
    for (const [name, token] of Object.entries(bad))
        await refusedEverywhere(t, hub, token, name);
    for (const size of [20_000, 500_000]) { // what no head may hold comes by the op `auth`
        const client = await connect(hub, { welcome: false });
        await client.fails({ type: 'auth', token: sealed(`{"alg":"HS256","x":"${'x'.repeat(size)}"}`, '{"sub":"alice"}') }, 'unauthorized');
        assert.equal((await client.waitClose()).code, 4001);
    }
    await connect(hub, { token: good });
});

test('issuer, audience, times and the name of the user are held against the options', async t => {
    const hub = await startHub(t, config({ secret: SECRET, issuer: ['https://a', 'https://b'], audience: 'chat',
        leeway: '30s', require_exp: true, user_claim: 'email' }));
    const token = (claims = {}, options) => mint({ email: 'a@example.com', iss: 'https://b', aud: ['x', 'chat'], ...claims }, options);
    assert.equal((await connect(hub, { token: token() })).welcome.user, 'a@example.com');
    await connect(hub, { token: token({ exp: now() - 10 }) });
    await connect(hub, { token: token({ nbf: now() + 10 }) });
    for (const claims of [{ iss: 'https://c' }, { iss: undefined }, { aud: 'other' }, { aud: [] }, { nbf: now() + 100 },
        { email: undefined, sub: 'alice' }])
        assert.equal((await refused(hub, 401, { token: token(claims) })).code, 'unauthorized', JSON.stringify(claims));
    await refused(hub, 401, { token: token({}, { ttl: null }) });
    assert.equal((await refused(hub, 401, { token: token({ exp: now() - 100 }) })).code, 'token_expired');
    const counted = async reason => hub.metric('hubbub_auth_jwt_failures_total', { reason });
    assert.deepEqual(await Promise.all(['issuer', 'audience', 'not_yet_valid', 'expired'].map(counted)), [2, 2, 1, 1]);
});

/* ---- JWK Sets. */

test('a JWKS file is read again when it changes; what it no longer holds opens nothing', async t => {
    const place = folder(t), file = join(place, 'jwks.json'), [a, b] = [ecKeys(), ecKeys()];
    const put = (...keys) => {
        writeFileSync(`${file}.new`, JSON.stringify({ keys }));
        renameSync(`${file}.new`, file);
    };
    const token = (own, kid) => mint({ sub: 'alice', jti: randomBytes(6).toString('hex') }, { algorithm: 'ES256', key: own.privateKey, header: { kid } });
    put(jwk(a.publicKey, 'a', 'ES256'));
    const hub = await startHub(t, config({ jwks: { file, check: '100ms' } }));
    const kept = token(a, 'a');
    await connect(hub, { token: kept });
    await refused(hub, 401, { token: token(b, 'b') });
    put(jwk(a.publicKey, 'a', 'ES256'), jwk(b.publicKey, 'b', 'ES256'));
    const old = await connect(hub, { token: token(b, 'b') }); // at once: an unknown kid has it looked at
    writeFileSync(`${file}.new`, '{"keys":[');
    renameSync(`${file}.new`, file);
    await hub.logged(/stay in force/);
    await connect(hub, { token: token(a, 'a') });
    put(jwk(b.publicKey, 'b', 'ES256'));
    await until(async () => (await open(hub, { token: kept })).status === 401, 'the old key, remembered tokens included, to be refused');
    await refused(hub, 401, { token: token(a, 'a') });
    await connect(hub, { token: token(b, 'b') });
    await old.sync();
});

/** A certificate for localhost, that only who is told so trusts. */
function certificate(t) {
    const place = folder(t), [key, cert] = [join(place, 'key.pem'), join(place, 'certificate.pem')];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert,
        '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'], { stdio: 'ignore' });
    return { file: cert, key: readFileSync(key), cert: readFileSync(cert) };
}

async function listen(t, server) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
        server.closeAllConnections();
        server.close();
    });
    return server.address().port;
}

test('a JWKS URL is fetched by https, again for an unknown kid, and not for every one of a flood', async t => {
    const own = certificate(t), [a, b] = [ecKeys(), ecKeys()];
    const set = [jwk(a.publicKey, 'a', 'ES256')];
    let fetches = 0;
    const port = await listen(t, createTlsServer({ key: own.key, cert: own.cert }, (request, response) => {
        fetches++;
        response.end(JSON.stringify({ keys: set }));
    }));
    const url = `https://localhost:${port}/keys`;
    const token = (signer, kid) => mint({ sub: 'alice' }, { algorithm: 'ES256', key: signer.privateKey, header: { kid } });
    const hub = await startHub(t, config({ jwks: { url, ca_file: own.file, refetch: '1h' } }));
    await connect(hub, { token: token(a, 'a') });
    set.push(jwk(b.publicKey, 'b', 'ES256'));
    await connect(hub, { token: token(b, 'b') });
    const before = fetches;
    for (let i = 0; i < 40; i++)
        await refused(hub, 401, { token: token(a, `unknown-${i}`) });
    assert.ok(fetches - before <= 5, `${fetches - before} fetches`);
    await connect(hub, { token: token(b, 'b') });

    const untrusting = await startHub(t, config({ jwks: { url } }));
    assert.equal((await refused(untrusting, 503, { token: token(a, 'a') })).code, 'unavailable');
    const elsewhere = await startHub(t, config({ jwks: { url: `https://127.0.0.1:${port}/`, ca_file: own.file } }));
    assert.equal((await refused(elsewhere, 503, { token: token(a, 'a') })).code, 'unavailable');
});

test('a JWKS URL that redirects, drips, breaks off, or answers too much or nonsense gives no keys', async t => {
    const own = ecKeys(), keys = JSON.stringify({ keys: [jwk(own.publicKey, 'a', 'ES256')] });
    let followed = 0;
    const target = await listen(t, createServer((request, response) => {
        followed++;
        response.end(keys);
    }));
    const answers = {
        redirect: response => response.writeHead(302, { Location: `http://127.0.0.1:${target}/` }).end(keys),
        drip: response => response.writeHead(200, { 'Content-Length': 5000 }).write('{'),
        large: response => response.end(`${keys}${' '.repeat(100_000)}`),
        error: response => response.writeHead(500).end(keys),
        html: response => response.end('<html>'),
        truncated: response => {
            response.writeHead(200, { 'Content-Length': keys.length }).write(keys.slice(0, -5));
            setImmediate(() => response.socket.destroy());
        },
        endless: response => {
            const timer = setInterval(() => response.write('x'.repeat(4096)), 1);
            response.on('close', () => clearInterval(timer));
        },
        mute: () => {},
        types: response => response.end('{"keys":{"0":[]},"kid":7}'),
        nested: response => response.end('{"keys":'.repeat(2000)),
        twice: response => response.end(keys.replace('{"keys"', '{"keys":[],"keys"')),
    };
    const port = await listen(t, createServer((request, response) => answers[request.url.slice(1)](response)));
    const token = mint({ sub: 'alice' }, { algorithm: 'ES256', key: own.privateKey, header: { kid: 'a' } });
    for (const name of Object.keys(answers)) {
        const hub = await startHub(t, config({ jwks: { url: `http://127.0.0.1:${port}/${name}`, timeout: '300ms', size: '16KiB' } }));
        assert.equal((await refused(hub, 503, { token })).code, 'unavailable', name);
        await hub.stop();
    }
    assert.equal(followed, 0);
});

test('keys of a set that are nonsense, or have the kid of another, take nothing from those that are sound', async t => {
    const [a, b, other] = [ecKeys(), ecKeys(), ecKeys()];
    const sound = jwk(a.publicKey, 'a', 'ES256');
    const keys = [null, 7, [], {}, { kty: 'EC' }, { ...sound, kid: 7 }, { ...sound, kid: 'x', x: sound.y }, { ...sound, kid: 'y', alg: 'none' },
        { kty: 'oct', kid: 'z', k: Buffer.from(SECRET).toString('base64url'), alg: 'HS256' },
        sound, jwk(b.publicKey, 'twice', 'ES256'), jwk(other.publicKey, 'twice', 'ES256')];
    const port = await listen(t, createServer((request, response) => response.end(JSON.stringify({ keys }))));
    const hub = await startHub(t, config({ jwks: { url: `http://127.0.0.1:${port}/` } }));
    const token = (own, kid) => mint({ sub: 'alice' }, { algorithm: 'ES256', key: own.privateKey, header: { kid } });
    await connect(hub, { token: token(a, 'a') });
    for (const own of [b, other])
        await connect(hub, { token: token(own, 'twice') });
    for (const [own, kid] of [[b, 'a'], [a, 'twice'], [a, 'x'], [a, 'y']])
        await refused(hub, 401, { token: token(own, kid) });
    await refused(hub, 401, { token: mint({ sub: 'alice' }, { header: { kid: 'z' } }) });
});

/* ---- The end of a token. */

test('each token is warned of once before it expires, whatever brings it again', async t => {
    const hub = await startHub(t, config({ secret: SECRET, anonymous: true }));
    const brief = (user, ttl = 4) => mint({ sub: user, jti: randomBytes(6).toString('hex') }, { ttl });
    const warnings = client => client.received.filter(m => m.type === 'message' && m.event === 'token-expiring');
    const token = brief('refresher');
    const refresher = await connect(hub, { token }), late = await connect(hub);
    await late.ok({ type: 'auth', token: brief('late') });
    const stream = await connectSse(hub, { token: brief('sse') });
    const poller = await connectPoll(hub, { token: brief('poll'), run: false });
    const socket = await connectIo(t, hub, { token: brief('io') });
    await refresher.ok({ type: 'refresh', token });
    await refresher.next(m => m.event === 'token-expiring');
    await refresher.ok({ type: 'refresh', token });
    // each poll, and each send, brings the credential once more
    const sends = async client => {
        while ((await client.send({ type: 'ping', id: 1 })).status === 200)
            continue;
    };
    const polls = (async () => {
        for (;;) {
            const [answer] = await Promise.all([poller.tryPoll(), poller.send({ type: 'ping', id: 1 })]);
            if (answer.status !== 200)
                return answer.status;
            poller.accept(answer.json);
        }
    })();
    await refresher.ok({ type: 'refresh', token: brief('refresher') });
    const [status] = await Promise.all([polls, sends(stream), refresher.waitClose(), late.waitClose(), stream.waitClose(),
        inState(socket, 'io server disconnect')]);
    assert.equal(status, 401);
    assert.deepEqual([refresher, late, stream, poller].map(client => warnings(client).length), [2, 1, 1, 1]);
    assert.equal(told(socket, 'token-expiring').length, 1);
    const { room, data } = warnings(stream)[0];
    assert.equal(room, null);
    assert.ok(data.expires_at > Date.now() - 30_000 && data.expires_in > 0 && data.expires_in <= 2000, JSON.stringify(data));
});

/** A session of each kind with this token: [{ended, over}]. */
async function everywhere(t, hub, token) {
    const [ws, sse, poll] = [await connect(hub, { token }), await connectSse(hub, { token }), await connectPoll(hub, { token })];
    const io = await Promise.all([['polling'], ['websocket']].map(transports =>
        connectIo(t, hub, { token, transports, reconnection: false })));
    return [
        { name: 'websocket', over: async () => assert.equal((await ws.waitClose()).code, 4001), alive: () => ws.sync() },
        { name: 'sse', over: () => sse.waitClose(), alive: () => sse.ok({ type: 'ping' }) },
        { name: 'longpoll', over: () => until(() => poll.received.some(m => m.type === 'bye' && m.code === 4001), 'the bye'),
            alive: () => poll.ok({ type: 'ping' }) },
        ...io.map(socket => ({ name: 'socketio', over: () => until(() => !socket.connected, 'the end'),
            alive: () => assert.ok(socket.connected) })),
    ];
}

test('a token that is revoked by jti, user or time is out everywhere, and opens nothing more', async t => {
    const hub = await startHub(t, config({ secret: SECRET }, { workers: 4 }));
    const revoke = async body => (await hub.admin('/api/v1/revocations', { method: 'POST', body })).json;
    const past = now() - 1000;
    const cases = [
        ['jti', tokenFor('jim', { jti: 'j1' }), tokenFor('jim', { jti: 'j2' }), { jti: 'j1' }],
        ['user', tokenFor('ann'), tokenFor('bob'), { user: 'ann', issued_before: now() + 10 }],
        ['time', mint({ sub: 'eve', iat: past }), mint({ sub: 'eve', iat: past + 2 }), { user: 'eve', issued_before: past + 1 }],
    ];
    for (const [name, bad, good, body] of cases) {
        const [out, stay] = [await everywhere(t, hub, bad), await everywhere(t, hub, good)];
        assert.deepEqual(await revoke(body), { sessions: out.length }, name);
        for (const { over } of out)
            await over();
        for (const { alive } of stay)
            await alive();
        await refusedEverywhere(t, hub, bad, name);
        await connect(hub, { token: good });
    }
});

test('rights are asked anew at each recovery', async t => {
    const hub = await startHub(t, config({ secret: SECRET }, { rooms: [{ match: '*', join: 'claim', publish: 'claim', history: HISTORY }] }));
    const rights = (...rooms) => tokenFor('alice', { hubbub: { join: rooms, publish: rooms } });
    const [wide, narrow] = [rights('*'), rights('kept')];
    const first = await connect(hub, { token: wide });
    const cursors = { kept: (await first.join('kept')).cursor, lost: (await first.join('lost')).cursor };
    const stream = await connectSse(hub, { token: wide, rooms: ['kept', 'lost'] });
    const poller = await connectPoll(hub, { token: wide, rooms: ['kept', 'lost'], run: false });
    for (const client of [first, stream, poller])
        client.terminate();
    const other = await connect(hub, { token: wide });
    await other.publish('kept', 'missed');
    await other.publish('lost', 'secret');
    const back = await connect(hub, { token: narrow });
    assert.equal((await back.join('kept', { since: cursors.kept })).recovered, true);
    await back.fails({ type: 'join', room: 'lost', since: cursors.lost }, 'forbidden');
    await back.fails({ type: 'history', room: 'lost', since: cursors.lost }, 'forbidden');
    const options = { token: narrow, rooms: ['kept', 'lost'] };
    const resumed = await connectSse(hub, { ...options, lastEventId: stream.lastEventId });
    const polled = await connectPoll(hub, { ...options, cursor: poller.cursor });
    for (const client of [back, resumed, polled]) {
        await client.next(m => m.data === 'missed');
        await client.ok({ type: 'ping' });
        assert.ok(!client.received.some(m => m.data === 'secret'));
    }
    for (const client of [resumed, polled])
        assert.equal(client.joined.lost.error.code, 'forbidden');
    assert.equal((await openSse(hub, { token: narrow, rooms: ['lost'], lastEventId: stream.lastEventId })).status, 403);
    assert.equal((await openPoll(hub, { token: narrow, rooms: ['lost'], cursor: poller.cursor })).status, 403);
});
