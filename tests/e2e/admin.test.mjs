// The admin listener: who may use it, publishing, health and metrics.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';
import { connect } from './lib/client.mjs';
import { fetchHttp } from './lib/http.mjs';
import { startHub } from './lib/server.mjs';
import { until } from './lib/until.mjs';

const TOKEN = 'an admin token';
const JSON_TYPE = { 'Content-Type': 'application/json' };

test('a publication meets two clients in one room', async t => {
    const hub = await startHub(t);
    const [a, b] = [await connect(hub), await connect(hub)];
    await a.join('lobby');
    await b.join('lobby');
    const answer = await hub.publish({ room: 'lobby', event: 'news', data: { n: 1 } });
    assert.equal(answer.status, 200);
    for (const client of [a, b]) {
        const message = await client.nextMessage('lobby');
        assert.deepEqual([message.event, message.user, message.data], ['news', null, { n: 1 }]);
        assert.equal(message.cursor, answer.json.cursor);
    }
});

test('an array is published whole or not at all', async t => {
    const hub = await startHub(t);
    const a = await connect(hub);
    await a.join('r');
    assert.equal((await hub.publish([{ room: 'r', data: 1 }, { room: '', data: 2 }])).status, 400);
    assert.equal((await hub.publish([{ room: 'r', data: 1, what: 2 }])).status, 400);
    assert.equal((await hub.admin('/api/v1/publish', { method: 'POST', body: 'nonsense', headers: JSON_TYPE })).status, 400);
    const answer = await hub.publish([{ room: 'r', data: 3 }, { room: 'r', data: 4 }]);
    assert.equal(answer.json.length, 2);
    assert.equal((await a.nextMessage('r')).data, 3);
    assert.equal((await a.nextMessage('r')).data, 4);
});

test('a used key gives the first cursor, with other data 409', async t => {
    const hub = await startHub(t);
    const first = (await hub.publish({ room: 'r', data: 1, key: 'k' })).json;
    assert.deepEqual((await hub.publish({ room: 'r', data: 1, key: 'k' })).json, first);
    assert.equal((await hub.publish({ room: 'r', data: 2, key: 'k' })).status, 409);
});

test('with a token nothing but health is answered without it', async t => {
    const hub = await startHub(t, { admin: { token: TOKEN } });
    const ask = (path, headers) => fetchHttp(hub.adminUrl(path), { headers });
    assert.equal((await ask('/healthz')).status, 200);
    assert.equal((await ask('/readyz')).status, 200);
    assert.equal((await ask('/metrics')).status, 401);
    assert.equal((await ask('/metrics', { Authorization: 'Bearer wrong' })).status, 401);
    assert.equal((await ask('/metrics', { Authorization: `Bearer ${TOKEN}` })).status, 200);
});

test('without a token web pages can not reach it', async t => {
    const hub = await startHub(t);
    const body = JSON.stringify({ room: 'r', data: 1 });
    const post = headers => fetchHttp(hub.adminUrl('/api/v1/publish'), { method: 'POST', headers, body });
    assert.equal((await post({ ...JSON_TYPE, Host: 'evil.example.com' })).status, 403);
    assert.equal((await post({ ...JSON_TYPE, Origin: 'https://evil.example.com' })).status, 403);
    assert.equal((await post({ 'Content-Type': 'text/plain' })).status, 415);
    assert.equal((await post(JSON_TYPE)).status, 200);
    assert.equal((await fetchHttp(hub.adminUrl('/metrics'), { headers: { Host: 'evil.example.com' } })).status, 403);
});

test('unknown paths are 404, wrong methods 405 with Allow', async t => {
    const hub = await startHub(t);
    assert.equal((await fetchHttp(hub.adminUrl('/nothing'))).status, 404);
    const answer = await fetchHttp(hub.adminUrl('/api/v1/publish'));
    assert.equal(answer.status, 405);
    assert.equal(answer.headers.allow, 'POST');
});

test('/metrics passes promtool and counts what happened', async t => {
    const hub = await startHub(t);
    const a = await connect(hub);
    await a.join('r');
    await a.publish('r', 1);
    await a.nextMessage('r');
    await until(async () => await hub.metric('hubbub_delivery_seconds_count') === 1, 'the delivery to be counted');
    const { text: body } = await hub.admin('/metrics');
    assert.match(body, /^hubbub_connections\{transport="websocket"\} 1$/m);
    assert.match(body, /^hubbub_messages_received_total\{transport="websocket"\} 1$/m);
    assert.match(body, /^hubbub_messages_delivered_total\{transport="websocket"\} 1$/m);
    assert.match(body, /^hubbub_delivery_seconds_count 1$/m);
    const check = spawnSync('promtool', ['check', 'metrics'], { input: body });
    assert.equal(check.status, 0, check.stderr?.toString());
});
