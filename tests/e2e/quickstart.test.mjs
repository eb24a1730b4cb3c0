// examples/quickstart.sh, as somebody runs it who has just cloned this: the first of the README's two
// commands. Here the packages are installed and the build is made; `ninja` is kept from making it
// anew under the other tests.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { connect, refused } from './lib/client.mjs';
import { fetchHttp } from './lib/http.mjs';
import { freePort } from './lib/ports.mjs';
import { binary, buildDir, root } from './lib/server.mjs';
import { until, within } from './lib/until.mjs';

const launcher = (process.env.HUBBUB_LAUNCH ?? '').split(' ').filter(Boolean);

// Another server than the build's is being tested: the script would start the wrong one.
const skip = binary !== join(buildDir, 'hubbub') && 'HUBBUB_BIN is not the build\'s';

function quickstart(t, args = [], env = {}) {
    const tools = mkdtempSync(join(tmpdir(), 'hubbub-quickstart-'));
    writeFileSync(join(tools, 'ninja'), '#!/bin/sh\n', { mode: 0o755 });
    const [command, ...rest] = [...launcher, join(root, 'examples/quickstart.sh'), ...args];
    const run = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, BUILD_DIR: buildDir, PATH: `${tools}:${process.env.PATH}`, ...env } });
    run.output = '';
    for (const stream of [run.stdout, run.stderr])
        stream.on('data', chunk => { run.output += chunk; });
    run.ended = new Promise(done => run.once('close', (code, signal) => done(code ?? signal)));
    t.after(() => {
        run.kill('SIGKILL');
        rmSync(tools, { recursive: true });
    });
    return run;
}

const end = run => within(run.ended, () => `its end: ${run.output}`, 60_000);

async function ready(run) {
    await until(() => /Three things to try[^]*#token=.*\n/.test(run.output) || run.exitCode !== null,
        () => `its advice: ${run.output}`, 120_000);
    assert.equal(run.exitCode, null, run.output);
    return /token +(\S+)/.exec(run.output)[1];
}

test('quickstart: from a checkout to a room in one command, twice', { skip }, async t => {
    const env = { ADDRESS: '127.0.0.1', PORT: String(await freePort()),
        ADMIN_PORT: String(await freePort()) };
    const ws = `ws://127.0.0.1:${env.PORT}`;
    for (let round = 0; round < 2; round++) {
        const run = quickstart(t, [], env);
        const token = await ready(run);
        const [guest, alice] = [await connect(ws), await connect(`${ws}/hub/ws`, { token })];
        assert.deepEqual([guest.welcome.user, alice.welcome.user], [null, 'alice']);
        await refused(ws, 401, { token: `${token}x` });
        await guest.join('lobby');
        await alice.join('lobby');
        const published = await fetchHttp(`http://127.0.0.1:${env.ADMIN_PORT}/api/v1/publish`,
            { method: 'POST', body: { room: 'lobby', data: { text: 'hello from curl' } } });
        assert.equal(published.status, 200);
        for (const client of [guest, alice])
            assert.deepEqual((await client.nextMessage('lobby')).data, { text: 'hello from curl' });
        const page = await fetchHttp(`http://127.0.0.1:${env.PORT}/`);
        assert.match(page.text, /<html/);
        assert.equal(statSync(join(buildDir, 'quickstart.secret')).mode & 0o777, 0o600);

        const second = quickstart(t, [], env);
        assert.equal(await end(second), 1);
        assert.match(second.output, new RegExp(`In use already: port ${env.PORT} ${env.ADMIN_PORT}`));

        for (const client of [guest, alice])
            client.terminate();
        run.kill('SIGINT');
        assert.equal(await end(run), 0, run.output);
    }
});

test('quickstart: --help says what it does, and does nothing', { skip }, async t => {
    const help = quickstart(t, ['--help']);
    assert.equal(await end(help), 0);
    assert.match(help.output, /ADMIN_PORT/);
    assert.doesNotMatch(help.output, /Building/);
    assert.equal(await end(quickstart(t, ['--nonsense'])), 2);
});
