// A TCP relay in front of a server, whose connections a test can cut or refuse.
import { connect, createServer } from 'node:net';
import { freePort, releasePort } from './ports.mjs';

/** startRelay(t, server) → {base, cut(), refuse(on)}; gone when the test ends. */
export async function startRelay(t, server) {
    const sockets = new Set();
    let isRefusing = false;
    const relay = createServer(near => {
        if (isRefusing) {
            near.destroy();
            return;
        }
        const far = connect(server.port, '127.0.0.1');
        for (const [from, to] of [[near, far], [far, near]]) {
            sockets.add(from);
            from.on('error', () => {});
            from.on('close', () => {
                sockets.delete(from);
                to.destroy();
            });
            from.pipe(to);
        }
    });
    const port = await freePort();
    await new Promise(resolve => relay.listen(port, '127.0.0.1', resolve));
    const cut = () => sockets.forEach(socket => socket.destroy());
    t.after(() => {
        relay.close();
        cut();
        releasePort(port);
    });
    return {
        base: `http://127.0.0.1:${port}`, cut,
        refuse: on => {
            isRefusing = on;
            if (on)
                cut();
        },
    };
}
