// minutes: 4
// Keys rotate while hundreds of clients connect, from a file and from a URL: none with a valid token is
// refused, and none with a key that was withdrawn gets in, not even by a token that was good just now.
import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { connect, open, refused } from '../e2e/lib/client.mjs';
import { ecKeys, mint } from '../e2e/lib/jwt.mjs';
import { openPoll } from '../e2e/lib/poll.mjs';
import { startHub } from '../e2e/lib/server.mjs';
import { openSse } from '../e2e/lib/sse.mjs';
import { until } from '../e2e/lib/until.mjs';

const CLIENTS = 200, ROTATIONS = 6, CONNECTS_BETWEEN = 300;

/** The keys that the issuer publishes, by file or by URL. */
class Issuer {
    constructor(publish) {
        Object.assign(this, { keys: [], publish, made: 0 });
    }

    async add() {
        const pair = ecKeys(), kid = `key-${++this.made}`;
        const key = { kid, secret: createPrivateKey(pair.privateKey), under: 0, jwk: { ...createPublicKey(pair.publicKey).export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' } };
        this.keys.push(key);
        await this.tell();
        return key;
    }

    async withdraw(key) {
        this.keys.splice(this.keys.indexOf(key), 1);
        await this.tell();
    }

    tell() { return this.publish(JSON.stringify({ keys: this.keys.map(({ jwk }) => jwk) })); }

    token(key, claims) {
        return mint({ sub: 'alice', ...claims }, { algorithm: 'ES256', key: key.secret, header: { kid: key.kid } });
    }
}

async function fromFile(t) {
    const place = mkdtempSync(join(tmpdir(), 'hubbub-jwks-')), file = join(place, 'jwks.json');
    t.after(() => rmSync(place, { recursive: true }));
    const issuer = new Issuer(text => {
        writeFileSync(`${file}.new`, text);
        renameSync(`${file}.new`, file);
    });
    return { issuer, jwks: { file, check: '100ms' } };
}

async function fromUrl(t) {
    let text = '';
    const issuer = new Issuer(now => { text = now; });
    const server = createServer((request, response) => response.end(text));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
        server.closeAllConnections();
        server.close();
    });
    return { issuer, jwks: { url: `http://127.0.0.1:${server.address().port}/`, refresh: '1s', refetch: '100ms' } };
}

const OPEN = [open, openSse, openPoll];

for (const [from, begin] of Object.entries({ file: fromFile, url: fromUrl }))
    test(`${from}: keys rotate under ${CLIENTS} clients that connect again and again`, async t => {
        const { issuer, jwks } = await begin(t);
        let current = await issuer.add(), running = true, connects = 0;
        const wrong = [];
        const hub = await startHub(t, {
            transports: { websocket: {}, sse: {}, longpoll: {} }, workers: 4,
            limits: { connections_per_ip: 5000 },
            plugins: { drop_in: [], load: [{ 'auth-jwt': { jwks, cache: { entries: 256, ttl: '10m' } } }] },
        });

        async function come(i) {
            for (let n = 0; running; n++) {
                const key = current;
                key.under++; // its tokens are valid until this one is answered
                const answer = await OPEN[(i + n) % OPEN.length](hub, { token: issuer.token(key, { jti: n % 2 ? `${i}-${n}` : `${i}` }) });
                key.under--;
                connects++;
                if (answer.client)
                    answer.client.terminate();
                else
                    wrong.push(`${key.kid}: ${answer.status} ${answer.text ?? answer.body}`);
            }
        }

        const coming = Promise.all(Array.from({ length: CLIENTS }, (_, i) => come(i)));
        const more = async () => {
            const wanted = connects + CONNECTS_BETWEEN;
            await until(() => connects >= wanted, 'clients to connect', 30_000);
        };
        for (let i = 0; i < ROTATIONS; i++) {
            await more();
            const old = current, known = issuer.token(old, { jti: 'known' });
            await connect(hub, { token: known }).then(client => client.close());
            current = await issuer.add(); // signed with from this moment on
            await more();
            await until(() => old.under === 0, 'the last tokens of the old key');
            await issuer.withdraw(old);
            await until(async () => {
                const { client, status } = await open(hub, { token: known });
                client?.terminate();
                return status === 401;
            }, 'the old key to be refused');
            await Promise.all(Array.from({ length: 100 }, (_, k) =>
                refused(hub, 401, { token: k % 2 ? known : issuer.token(old, { jti: `late-${k}` }) })));
        }
        running = false;
        await coming;
        assert.deepEqual(wrong, []);
        assert.ok(connects >= 2 * ROTATIONS * CONNECTS_BETWEEN);
        assert.equal(await hub.metric('hubbub_auth_jwt_failures_total', { reason: 'unavailable' }), 0);
    });
