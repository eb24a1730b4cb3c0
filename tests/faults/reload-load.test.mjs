// minutes: 5
// Everything that a reload can change, changed by one HUP while 1,000 clients over all transports and TLS
// hear messages: certificate, origins, limits, rooms, a plugin's options, alert rules and log level. Nobody
// is dropped, nothing is lost; a file with one mistake changes nothing and says why, by POST /reload too.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { connect as connectTls } from 'node:tls';
import { connect, refused } from '../e2e/lib/client.mjs';
import { gather } from '../e2e/lib/crowd.mjs';
import { connectPoll } from '../e2e/lib/poll.mjs';
import { freePort, releasePort } from '../e2e/lib/ports.mjs';
import { startHub } from '../e2e/lib/server.mjs';
import { connect as connectSio, join as joinSio } from '../e2e/lib/sio.mjs';
import { connectSse } from '../e2e/lib/sse.mjs';
import { until, within } from '../e2e/lib/until.mjs';

const CROWD = 800, ROOMS = 20, SSE = 80, POLL = 60, SIO = 20, TLS = 40;
const ANY = { match: '*', join: 'anyone', publish: 'members', history: { messages: 100, age: '5m' } };
const LIMITED = { of: 'publishes', per: 'session', room: 'limited*', rate: '1/h', burst: 1 };
const alert = name => ({ alert: name, metric: 'hubbub_sessions', above: 1 });

/** Two states of everything that may change, and how each shows. */
const BEFORE = { origin: 'https://before.example', size: '64KiB', rooms: [ANY], limits: [], alert: 'Before', level: 'info', cert: 'a' };
const AFTER = { origin: 'https://after.example', size: '4KiB', rooms: [{ ...ANY, match: 'private', join: 'nobody' }, ANY],
    limits: [LIMITED], alert: 'After', level: 'warn', cert: 'b' };

const config = ({ port, tlsPort, directory }, state) => ({
    transports: { websocket: {}, sse: {}, longpoll: {}, socketio: {} },
    listen: [{ address: '127.0.0.1', port },
        { address: '127.0.0.1', port: tlsPort, tls: { certificate: join(directory, 'cert.pem'), key: join(directory, 'key.pem') } }],
    cors: { origins: [state.origin] },
    limits: { connections_per_ip: 5000, message_size: state.size },
    plugins: { drop_in: [], load: [{ 'rate-limit': { messages: { rate: '100000/s', burst: 100_000 }, rules: state.limits } }] },
    rooms: state.rooms,
    alerts: { defaults: false, rules: [alert(state.alert)] },
    log: { level: state.level },
});

function makeCertificate(hub, name) {
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
        '-subj', `/CN=${name}`, '-keyout', join(hub.directory, `${name}-key.pem`), '-out', join(hub.directory, `${name}-cert.pem`)],
    { stdio: 'ignore' });
}

function useCertificate(hub, name, keyOf = name) {
    copyFileSync(join(hub.directory, `${name}-cert.pem`), join(hub.directory, 'cert.pem'));
    copyFileSync(join(hub.directory, `${keyOf}-key.pem`), join(hub.directory, 'key.pem'));
}

const shownCertificate = hub => within(new Promise((resolve, reject) => {
    const socket = connectTls({ port: hub.tlsPort, host: '127.0.0.1', rejectUnauthorized: false }, () => {
        resolve(socket.getPeerCertificate().subject.CN);
        socket.destroy();
    });
    socket.once('error', reject);
}), 'a TLS handshake');

const post = (hub, path, body = {}) => hub.admin(path, { method: 'POST', body });

/** All of this state is in force, for newcomers and for what is asked anew. */
async function isInForce(hub, state) {
    const other = state === BEFORE ? AFTER : BEFORE, strict = state === AFTER;
    assert.equal(await shownCertificate(hub), state.cert);
    await refused(hub, 403, { origin: other.origin });
    const client = await connect(hub, { origin: state.origin });
    const mayJoin = (await client.request({ type: 'join', room: 'private' })).ok;
    assert.equal(mayJoin, !strict, 'the rule of a room');
    await client.join('limited');
    await client.publish('limited', 1);
    assert.equal((await client.request({ type: 'publish', room: 'limited', data: 2 })).ok, !strict, 'the plugin\'s rule');
    const large = { type: 'publish', room: 'crowd-0', event: 'large', data: 'x'.repeat(5000) };
    if (strict) {
        client.send(large);
        assert.equal((await client.waitClose()).code, 1009);
    } else {
        await client.join('crowd-0');
        await client.ok(large);
        await client.close();
    }
    const firing = await until(async () => {
        const { json } = await hub.admin('/alerts');
        return json.data.alerts.length && json.data.alerts.map(({ labels }) => labels.alertname);
    }, 'an alert', 20_000);
    assert.deepEqual(firing, [state.alert]);
    const since = hub.stderr.length;
    assert.equal((await post(hub, '/api/v1/broadcast', { event: `in-${state.level}` })).status, 200);
    if (!strict)
        await hub.logged(/admin broadcast event=in-info/, { since });
    else
        assert.doesNotMatch(hub.stderr, /broadcast event=in-warn/);
}

/** Members that only listen, over every other way; `numbers()` is what each has heard of its room. */
async function gatherOthers(t, hub) {
    const others = [];
    const room = i => `crowd-${i % ROOMS}`;
    const add = (i, client, numbers, isGone) => others.push({ room: i % ROOMS, client, numbers, isGone });
    const native = client => () => client.received.filter(m => m.event === 'crowd').map(m => m.data);
    for (let i = 0; i < SSE; i++) {
        const client = await connectSse(hub, { rooms: [room(i)] });
        add(i, client, native(client), () => client.end);
    }
    for (let i = 0; i < POLL; i++) {
        const client = await connectPoll(hub, { rooms: [room(i)] });
        add(i, client, native(client), () => client.end);
    }
    for (let i = 0; i < TLS; i++) {
        const client = await connect(`wss://127.0.0.1:${hub.tlsPort}`, { ws: { rejectUnauthorized: false } });
        t.after(() => client.terminate());
        await client.join(room(i));
        add(i, client, native(client), () => client.end);
    }
    for (let i = 0; i < SIO; i++) {
        const socket = await connectSio(t, hub, { transports: i % 2 ? ['polling'] : ['websocket'] });
        await joinSio(socket, room(i));
        add(i, socket, () => socket.events.filter(([name]) => name === 'crowd').map(([, value]) => value?.data ?? value),
            () => socket.states.length > 1 && socket.states);
    }
    return others;
}

async function checkOthers(others, crowd) {
    for (const { room, numbers, isGone } of others) {
        assert.ok(!isGone(), `a client was dropped: ${JSON.stringify(isGone())}`);
        await until(() => numbers().length >= crowd.sent[room], () => `all of room ${room}: ${numbers().length} of ${crowd.sent[room]}`);
        assert.deepEqual(numbers(), Array.from({ length: crowd.sent[room] }, (_, i) => i));
    }
}

test('one HUP changes everything under load, or nothing', async t => {
    const tlsPort = await freePort();
    t.after(() => releasePort(tlsPort));
    // It starts with an empty file, for the certificates need its folder.
    const hub = await startHub(t, {});
    hub.tlsPort = tlsPort;
    makeCertificate(hub, 'a');
    makeCertificate(hub, 'b');
    useCertificate(hub, 'a');
    await hub.stop();
    hub.configure(config(hub, BEFORE));
    await hub.start();

    const crowd = await gather(hub, { size: CROWD, rooms: ROOMS });
    const others = await gatherOthers(t, hub);
    await isInForce(hub, BEFORE);
    crowd.start();
    await crowd.goesOn();

    useCertificate(hub, 'b');
    hub.hup(config(hub, AFTER));
    await until(async () => await shownCertificate(hub) === 'b', 'the reload');
    await isInForce(hub, AFTER);
    await crowd.goesOn();

    // Each of these would change all back, but for one mistake.
    const mistakes = [[{ nonsense: 1 }, 'a', /unknown key 'nonsense'/], [{ workers: 3 }, 'a', /'workers' can't change/],
        [{ alerts: { rules: [{ alert: 'X', metric: 'hubbub_rooom', above: 1 }] } }, 'a', /did you mean 'hubbub_rooms'/],
        [{}, 'b', /key/]];
    for (const [mistake, keyOf, message] of mistakes) {
        useCertificate(hub, 'a', keyOf);
        hub.configure({ ...config(hub, BEFORE), ...mistake });
        const since = hub.stderr.length;
        hub.hup();
        await hub.logged(/error reload nothing was changed: 1 mistake/, { since });
        assert.match(hub.stderr.slice(since), message);
        const answer = await post(hub, '/api/v1/reload');
        assert.equal(answer.status, 400);
        assert.match(answer.json.error.message, message);
    }
    await isInForce(hub, AFTER);
    await crowd.goesOn();

    useCertificate(hub, 'a');
    hub.configure(config(hub, BEFORE));
    const { status, json } = await post(hub, '/api/v1/reload');
    assert.deepEqual([status, json.reloaded], [200, true]);
    for (const what of ['cors', 'limits', 'plugins', 'rooms', 'alerts', 'log', 'certificates'])
        assert.match(json.changed, new RegExp(what));
    await isInForce(hub, BEFORE);
    await crowd.goesOn();

    await crowd.stop();
    await checkOthers(others, crowd);
    t.diagnostic(`${crowd.sent.reduce((sum, n) => sum + n, 0)} messages to ${crowd.clients.length + others.length} clients`);
});
