// minutes: 5
// Options of each plugin change by HUP while 1,000 clients stay connected and messages flow: nobody is
// dropped, no message is lost or comes twice, what is new holds for the old sessions too, and a file
// with one mistake changes nothing at all.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import test from 'node:test';
import { webhook } from '../../examples/webhook-backend/webhook.mjs';
import { connect, refused } from '../e2e/lib/client.mjs';
import { gather } from '../e2e/lib/crowd.mjs';
import { SECRET, mint, tokenFor } from '../e2e/lib/jwt.mjs';
import { hasRedis, startRedis } from '../e2e/lib/redis.mjs';
import { startHub } from '../e2e/lib/server.mjs';
import { until } from '../e2e/lib/until.mjs';

const SIZE = 1000, ROOMS = 20;
const NEXT_SECRET = 'the-secret-of-next-month-that-is-long-enough';
const HOOK_SECRET = 'a-secret-that-is-long-enough-for-this';

const config = (plugins, more = {}) => ({
    transports: { websocket: {} },
    limits: { connections_per_ip: 5000 },
    plugins: { drop_in: [], load: Object.entries(plugins).map(([name, options]) => ({ [name]: options })) },
    rooms: [{ match: '*', join: 'anyone', publish: 'anyone', presence: 'presence' in plugins, history: { messages: 100, age: '5m' } }],
    ...more,
});

const AUTH = { secret: SECRET };
const user = i => tokenFor(`user-${i}`);

/** HUP with other options of the plugins, and the log until it is done. */
async function reload(hub, plugins) {
    const since = hub.stderr.length;
    hub.hup(config(plugins));
    await hub.logged(/the new configuration is in force/, { since });
}

/** HUP with a file that has one mistake, which is told. */
async function reloadInVain(hub, plugins, mistake) {
    const since = hub.stderr.length;
    hub.hup(config(plugins));
    await hub.logged(mistake, { since });
}

test('auth-jwt: keys, issuer and the time of the warning', async t => {
    const named = { kid: '2026-02', algorithm: 'HS256', secret: NEXT_SECRET };
    const hub = await startHub(t, config({ 'auth-jwt': { ...AUTH, expiry_warning: 0 } }));
    const crowd = await gather(hub, { size: SIZE, rooms: ROOMS, token: user });
    crowd.start();
    const next = (claims, options) => mint(claims, { key: NEXT_SECRET, header: { kid: '2026-02' }, ...options });
    const [last] = crowd.clients.slice(-1);
    await last.fails({ type: 'refresh', token: next({ sub: `user-${SIZE - 1}` }) }, 'unauthorized');

    await reload(hub, { 'auth-jwt': { ...AUTH, keys: [named], expiry_warning: '1m' } });
    await last.ok({ type: 'refresh', token: next({ sub: `user-${SIZE - 1}` }) });
    await connect(hub, { token: next({ sub: 'new' }) });
    await crowd.goesOn();

    await reload(hub, { 'auth-jwt': { keys: [named], issuer: 'me', expiry_warning: 0 } });
    await refused(hub, 401, { token: user(0) });
    await refused(hub, 401, { token: next({ sub: 'user-0' }) });
    await crowd.clients[0].fails({ type: 'refresh', token: user(0) }, 'unauthorized');
    await crowd.clients[0].ok({ type: 'refresh', token: next({ sub: 'user-0', iss: 'me' }) });
    const brief = await connect(hub, { token: next({ sub: 'brief', iss: 'me' }, { ttl: 12 }) });
    await brief.sync();
    await reload(hub, { 'auth-jwt': { keys: [named], issuer: 'me', expiry_warning: '1m' } });
    await brief.next(m => m.event === 'token-expiring');

    await reloadInVain(hub, { 'auth-jwt': { ...AUTH, algorithms: ['HS257'] } }, /HS257|algorithms/);
    await refused(hub, 401, { token: user(0) });
    await connect(hub, { token: next({ sub: 'user-0', iss: 'me' }) });
    await crowd.goesOn();
    await crowd.stop();
});

test('presence: how many are named, and the grace', async t => {
    const load = presence => ({ 'auth-jwt': AUTH, presence });
    const hub = await startHub(t, config(load({ grace: '1h', list_up_to: 1000 })));
    const crowd = await gather(hub, { size: SIZE, rooms: ROOMS, token: user });
    crowd.start();
    const [watcher] = crowd.clients, listed = async () => (await watcher.ok({ type: 'presence', room: crowd.room(0) })).users.length;
    assert.equal(await listed(), SIZE / ROOMS);
    await reload(hub, load({ grace: '1h', list_up_to: 10 }));
    assert.equal(await listed(), 10);
    const guest = await connect(hub, { token: tokenFor('guest') });
    await guest.join(crowd.room(0));
    await watcher.next(m => m.event === 'count' && m.count === SIZE / ROOMS + 1);
    await reloadInVain(hub, load({ grace: 'soon', list_up_to: 1000 }), /grace/);
    assert.equal(await listed(), 10);
    await reload(hub, load({ grace: '0s', list_up_to: 1000 }));
    guest.terminate();
    await until(async () => await listed() === SIZE / ROOMS, 'the guest to be gone without grace');
    await crowd.goesOn();
    await crowd.stop();
});

test('rate-limit: rates, bursts and rules', async t => {
    const load = rules => ({ 'rate-limit': { rules }, 'auth-jwt': AUTH });
    const slow = { event: 'slow', rate: '1/h', burst: 3 };
    const hub = await startHub(t, config(load([slow])));
    const crowd = await gather(hub, { size: SIZE, rooms: ROOMS, token: user });
    crowd.start();
    const say = (client, event = 'slow') => client.request({ type: 'publish', room: 'elsewhere', event });
    const passed = async (n, event) => (await Promise.all(crowd.clients.map(async client => {
        let ok = 0;
        for (let i = 0; i < n; i++)
            ok += (await say(client, event)).ok;
        return ok;
    }))).reduce((sum, ok) => sum + ok, 0);
    assert.equal(await passed(4), 3 * SIZE);
    await reload(hub, load([{ ...slow, burst: 5 }]));
    assert.equal(await passed(4), 2 * SIZE, 'what was used stays used');
    await reloadInVain(hub, load([{ ...slow, burst: 50 }, { burst: 7 }]), /a burst takes a rate/);
    assert.equal(await passed(1), 0);
    await reload(hub, load([{ event: 'other', per: [], rate: '1/h', burst: 100 }]));
    assert.equal(await passed(1), SIZE, 'what has no rule any more has no limit');
    assert.equal(await passed(1, 'other'), 100);
    await crowd.goesOn();
    await crowd.stop();
});

/** A backend that says who asked: its own name in the data of publishes. */
async function startBackend(t, name) {
    const server = createServer(webhook({ secret: HOOK_SECRET, log: () => {}, handlers: {
        publish: ({ event, data }) => event === 'crowd' ? undefined : { data: `${data} by ${name}` },
        call: () => ({ data: name }),
    } }));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
        server.closeAllConnections();
        server.close();
    });
    return `http://127.0.0.1:${server.address().port}/`;
}

test('webhook: which backend is asked, and about what', async t => {
    const [first, second] = [await startBackend(t, 'first'), await startBackend(t, 'second')];
    const load = options => ({ 'auth-jwt': AUTH, webhook: { secret: HOOK_SECRET, hooks: ['publish', 'call'], ...options } });
    const hub = await startHub(t, config(load({ url: first })));
    const crowd = await gather(hub, { size: SIZE, rooms: ROOMS, token: user });
    crowd.start();
    const [alice] = crowd.clients, last = crowd.clients.at(-1);
    const spoken = async text => {
        await alice.publish(crowd.room(0), text, { event: 'said' });
        return (await alice.next(m => m.event === 'said')).data;
    };
    assert.equal(await spoken('one'), 'one by first');
    for (const [url, name] of [[second, 'second'], [first, 'first'], [second, 'second']]) {
        await reload(hub, load({ url }));
        await crowd.goesOn();
        assert.equal(await spoken('two'), `two by ${name}`);
        assert.equal((await last.ok({ type: 'call', event: 'who' })).data, name);
    }
    await reloadInVain(hub, load({ url: first, hooks: ['publishes'] }), /hooks: takes connect/);
    assert.equal(await spoken('three'), 'three by second');
    await reload(hub, load({ url: first, rooms: ['nothing'], hooks: ['publish'] }));
    assert.equal(await spoken('four'), 'four');
    await last.fails({ type: 'call', event: 'who' }, 'not_found');
    await crowd.goesOn();
    await crowd.stop();
    assert.equal(crowd.refused, 0);
    assert.equal(await hub.metric('hubbub_webhook_failures_total'), 0);
});

test('redis: what a publish waits for', { skip: !hasRedis && 'no redis-server' }, async t => {
    const redis = await startRedis(t);
    const load = options => ({ 'auth-jwt': AUTH, redis: { url: redis.url, prefix: 'reload', ...options } });
    const hub = await startHub(t, config(load()));
    const crowd = await gather(hub, { size: SIZE, rooms: ROOMS, token: user });
    crowd.start();
    const last = crowd.clients.at(-1), publish = () => last.request({ type: 'publish', room: 'elsewhere' });
    assert.equal((await publish()).ok, true);
    await reload(hub, load({ check: '500ms', timeout: '3s', journal: { time: '300ms' } }));
    await crowd.goesOn();
    await reloadInVain(hub, load({ backoff: { min: '5s', max: '1s' } }), /backoff.min is more/);
    await reload(hub, load({ journal: { time: '300ms' }, prefix: 'another' }));
    await hub.logged(/`prefix` changes with a restart/);
    assert.equal((await publish()).ok, true);
    await crowd.goesOn();
    await crowd.stop();
    redis.signal('SIGSTOP'); // nobody waits for the 60 s of before
    assert.equal((await publish()).error.code, 'unavailable');
    redis.signal('SIGCONT');
    await reload(hub, load());
    await until(async () => (await publish()).ok, 'Redis to be back');
    assert.equal(await hub.metric('hubbub_sessions'), SIZE);
});
