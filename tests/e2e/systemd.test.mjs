// What a supervisor is told (sd_notify(3)), and the unit that conf/ has for it.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { binary, shipped, startHub } from './lib/server.mjs';
import { until } from './lib/until.mjs';

const has = program => spawnSync('which', [program]).status === 0;

function folder(t) {
    const path = mkdtempSync(join(tmpdir(), 'hubbub-systemd-'));
    t.after(() => rmSync(path, { recursive: true }));
    return path;
}

/** A socket as systemd has it, which node can't open; `told` is what came, in order. */
async function supervise(t) {
    const path = join(folder(t), 'notify');
    const child = spawn('python3', ['-uc', `import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(${JSON.stringify(path)})
print('bound')
while True: print(s.recv(4096).decode().split('\\n')[0])`], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.after(() => child.kill('SIGKILL'));
    const supervisor = { path, told: [] };
    let text = '';
    child.stdout.on('data', chunk => {
        text += chunk;
        supervisor.told = text.split('\n').slice(0, -1);
    });
    await until(() => supervisor.told[0] === 'bound', 'the socket');
    return supervisor;
}

test('a supervisor hears that it is ready, alive, reloading and stopping',
    { skip: !has('python3') && 'no Python' }, async t => {
        const supervisor = await supervise(t);
        const hub = await startHub(t, {}, { env: { NOTIFY_SOCKET: supervisor.path, WATCHDOG_USEC: '20000000' } });
        const news = () => supervisor.told.filter(line => line !== 'WATCHDOG=1').slice(1);
        await until(() => news().length === 1, 'word');
        assert.deepEqual(news(), ['READY=1']);
        await until(() => supervisor.told.filter(line => line === 'WATCHDOG=1').length >= 2, 'signs of life');
        hub.hup();
        await until(() => news().length === 3, 'the reload');
        hub.hup({ ...hub.config, nonsense: true });
        await until(() => news().length === 5, 'the other reload');
        await hub.stop();
        await until(() => news().length === 6, 'the end');
        assert.deepEqual(news(), ['READY=1', 'RELOADING=1', 'READY=1', 'RELOADING=1', 'READY=1', 'STOPPING=1']);
    });

test('the unit is one that systemd takes', { skip: !has('systemd-analyze') && 'no systemd' }, t => {
    const file = join(folder(t), 'hubbub.service');
    writeFileSync(file, readFileSync(shipped('conf/hubbub.service'), 'utf8').replaceAll('/usr/local/bin/hubbub', binary));
    // It looks at what the machine has, too, and may not like that.
    const { stderr } = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' });
    assert.deepEqual(stderr.split('\n').filter(line => line.includes('hubbub.service')), []);
    const report = execFileSync('systemd-analyze', ['security', '--offline=true', file], { encoding: 'utf8' });
    assert.ok(Number(/exposure level .*: ([\d.]+)/.exec(report)[1]) < 2.5, report.slice(-200));
});
