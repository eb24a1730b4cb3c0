// Ports for servers under test, no two test processes the same: a process listens on the first port
// of a block for as long as it lives, which makes the rest of the block its own.
import { createServer } from 'node:net';

const [first, last] = (process.env.HUBBUB_PORTS ?? '21000-21999').split('-').map(Number);
const BLOCK = 20;

const guards = [];
let spare = [];

function listen(port) {
    return new Promise(resolve => {
        const server = createServer();
        server.once('error', () => resolve(null));
        server.listen({ port, host: '127.0.0.1', exclusive: true }, () => resolve(server));
    });
}

async function isFree(port) {
    const server = await listen(port);
    if (server)
        await new Promise(resolve => server.close(resolve));
    return server !== null;
}

async function claimBlock() {
    const blocks = Math.floor((last - first + 1) / BLOCK);
    const start = process.pid % blocks;
    for (let i = 0; i < blocks; i++) {
        const port = first + (start + i) % blocks * BLOCK;
        const guard = await listen(port);
        if (!guard)
            continue;
        guard.unref();
        guards.push(guard);
        return Array.from({ length: BLOCK - 1 }, (_, n) => port + 1 + n);
    }
    throw new Error(`no free block of ports in ${first}-${last}`);
}

/** A port of 127.0.0.1 on which nobody listens and that no other test process will be given. */
export async function freePort() {
    for (;;) {
        if (spare.length === 0)
            spare = await claimBlock();
        const port = spare.shift();
        if (await isFree(port))
            return port;
    }
}

/** Gives a port back, to be used again by this process. */
export function releasePort(port) {
    spare.push(port);
}
