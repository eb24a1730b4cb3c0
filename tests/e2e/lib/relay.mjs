// A TCP relay in front of a server, whose connections a test can cut, stall or refuse.
import { connect, createServer } from 'node:net';
import { freePort, releasePort } from './ports.mjs';

const always = () => true;

/** Bytes of one direction, until the test says otherwise. */
function forward(from, to, pair) {
    from.on('error', () => {});
    from.on('data', chunk => {
        if (pair.stalled.has(from))
            return; // swallowed: nobody hears of it
        if (pair.left < chunk.length) {
            to.end(chunk.subarray(0, pair.left));
            pair.cut();
            return;
        }
        pair.left -= chunk.length;
        if (!to.write(chunk)) {
            from.pause();
            to.once('drain', () => from.resume());
        }
    });
    from.on('end', () => pair.stalled.has(from) || to.end());
    from.on('close', () => pair.stalled.size > 0 || to.destroy());
}

/**
 * startRelay(t, server) → gone when the test ends. `which` chooses connections (default: all).
 *   base            where clients connect
 *   cut(which)      breaks them
 *   cutWithin(which, bytes)   breaks each when so many more bytes went through, in mid-frame maybe
 *   stall(which, direction)   'in' or 'out': silent from now on, without an end
 *   stallAll(direction)       the same of those to come as well, until calm()
 *   calm()          no harm is left to be done: what stalls is cut
 *   refuse(on)      no new ones (and cuts all)
 */
export async function startRelay(t, server) {
    const pairs = new Set();
    const side = (pair, direction) => direction === 'in' ? pair.near : pair.far;
    let isRefusing = false, stalling = null;
    const relay = createServer(near => {
        if (isRefusing) {
            near.destroy();
            return;
        }
        const far = connect(server.port, '127.0.0.1');
        const pair = { near, far, left: Infinity, stalled: new Set(), cut: () => [near, far].forEach(s => s.destroy()) };
        pairs.add(pair);
        if (stalling)
            pair.stalled.add(side(pair, stalling));
        let open = 2;
        for (const [from, to] of [[near, far], [far, near]]) {
            forward(from, to, pair);
            from.on('close', () => --open === 0 && pairs.delete(pair));
        }
    });
    const port = await freePort();
    await new Promise(resolve => relay.listen(port, '127.0.0.1', resolve));
    const each = (which, fn) => [...pairs].filter(which).forEach(fn);
    const cut = (which = always) => each(which, pair => pair.cut());
    t.after(() => {
        relay.close();
        cut();
        releasePort(port);
    });
    const stall = (which, direction) => each(which, pair => pair.stalled.add(side(pair, direction)));
    return {
        base: `http://127.0.0.1:${port}`, cut,
        cutWithin: (which, bytes) => each(which, pair => { pair.left = bytes; }),
        stall,
        stallAll: direction => {
            stalling = direction;
            stall(always, direction);
        },
        calm: () => {
            stalling = null;
            each(pair => pair.stalled.size > 0 || pair.left < Infinity, pair => pair.cut());
        },
        refuse: on => {
            isRefusing = on;
            if (on)
                cut();
        },
    };
}
