// hubbub's Socket.IO transport against the socket.io server for node (its engine is ws), which npm
// installs at the versions pinned in peers/package.json: CPU time of a delivery, bytes of an idle
// connection. The same clients, the same rooms, the same messages, one process each, on one CPU.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compare, fanout, FANOUT_HEAD, idleBytes, MEMBERS, printFanout, SECRET, SOCKETIO, startOther,
    withCleanup } from './rig.mjs';
import { measureSocketio, socketioMemory } from './socketio.mjs';

const folder = join(dirname(fileURLToPath(import.meta.url)), 'peers');

export function install() {
    const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json')));
    if (Object.keys(dependencies).every(name => existsSync(join(folder, 'node_modules', name))))
        return;
    const npm = spawnSync('npm', ['--prefix', folder, 'install', '--no-package-lock', '--no-audit', '--no-fund',
        '--loglevel', 'error'], { stdio: ['ignore', 'ignore', 'inherit'] });
    if (npm.status !== 0)
        throw new Error('npm could not install the peers');
}

/** The peer's server; with `more` arguments as socketio-server.mjs takes them. */
export const startPeer = (t, ...more) =>
    startOther(t, process.execPath, [join(folder, 'socketio-server.mjs'), '$PORT', SECRET, ...more]);

const measurePeer = window => withCleanup(async t => fanout(await startPeer(t), window, ...SOCKETIO));

const peerMemory = () => withCleanup(async t => idleBytes(t, await startPeer(t), 'WebSockets of socket.io', ...SOCKETIO));

export async function comparePeers() {
    install();
    console.log(`fan-out to ${MEMBERS} members, 128 bytes of data; µs of server CPU per delivery\n${FANOUT_HEAD}`);
    for (const window of [1, 8]) {
        const results = await compare({ hubbub: () => measureSocketio(window), 'socket.io': () => measurePeer(window) });
        printFanout(window, results);
        console.log(`${String(window).padStart(11)}  socket.io / hubbub: total ${(results['socket.io'].total / results.hubbub.total).toFixed(1)}, `
            + `last member after ${(results['socket.io'].last / results.hubbub.last).toFixed(1)}`);
    }
    const ours = await socketioMemory(), theirs = await peerMemory();
    console.log(`socket.io / hubbub: bytes of an idle connection ${(theirs / ours).toFixed(1)}`);
}
