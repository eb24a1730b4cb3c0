// What the README promises: wscat and curl, as they are, meet in one room.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import test from 'node:test';
import { SECRET, mint, tokenFor } from './lib/jwt.mjs';
import { startHub } from './lib/server.mjs';
import { until } from './lib/until.mjs';

const wscatScript = join(dirname(createRequire(import.meta.url).resolve('wscat/package.json')), 'bin/wscat');

function wscat(t, address, ...more) {
    const child = spawn(process.execPath, [wscatScript, '-c', address, '--no-color', ...more],
        { stdio: ['pipe', 'pipe', 'pipe'] });
    child.said = '';
    for (const stream of [child.stdout, child.stderr])
        stream.on('data', chunk => { child.said += chunk; });
    child.says = text => until(() => child.said.includes(text), () => `${text} from wscat, it said: ${child.said}`);
    t.after(() => child.kill());
    return child;
}

function curl(...args) {
    return new Promise((resolve, reject) => {
        const child = spawn('curl', ['-s', ...args]);
        let out = '';
        child.stdout.on('data', chunk => { out += chunk; });
        child.once('error', reject);
        child.once('close', () => resolve(out));
    });
}

test('two wscats and a curl meet in one room', async t => {
    const hub = await startHub(t);
    const [a, b] = [wscat(t, hub.url('', 'ws')), wscat(t, hub.url('/hub/ws', 'ws'))];
    for (const one of [a, b]) {
        await one.says('"type":"welcome"');
        one.stdin.write('{"type":"join","id":1,"room":"lobby"}\n');
        await one.says('"ok":true');
    }
    const answer = await curl('-H', 'Content-Type: application/json', '-d', '{"room":"lobby","data":{"from":"curl"}}',
        hub.adminUrl('/api/v1/publish'));
    assert.match(answer, /^\{"cursor":"/);
    for (const one of [a, b])
        await one.says('{"from":"curl"}');
});

test('wscat without a token may send one, a wrong one is refused, a good one is welcomed', async t => {
    const hub = await startHub(t, { plugins: { load: [{ 'auth-jwt': { secret: SECRET } }] } });
    const header = token => ['-H', `Authorization: Bearer ${token}`];
    await wscat(t, hub.url('', 'ws'), ...header(tokenFor('alice'))).says('"user":"alice"');
    await wscat(t, hub.url('', 'ws'), ...header(mint({ sub: 'eve' }, { key: 'y'.repeat(32) }))).says('401');
    const without = wscat(t, hub.url('', 'ws'));
    await until(async () => await hub.metric('hubbub_connections_opened_total') === 2, 'wscat to be connected');
    without.stdin.write(`{"type":"auth","token":"${tokenFor('bob')}"}\n`);
    await without.says('"user":"bob"');
});
