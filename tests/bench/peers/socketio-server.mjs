// socketio-server.mjs PORT SECRET [REDIS-URL]: the application of the benchmark on socket.io: users by token
// (HS256), rooms, messages with the sender's name and the time. Connections without a token are anonymous.
// With a Redis it is a node of a cluster, by the classic adapter, set up as its README says.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { Server } from 'socket.io';

const [port, secret, redisUrl] = process.argv.slice(2);

function userOf(token) {
    const [head, body, signature] = token.split('.');
    const wanted = createHmac('sha256', secret).update(`${head}.${body}`).digest();
    const given = Buffer.from(signature ?? '', 'base64url');
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted))
        throw new Error('Invalid token');
    return JSON.parse(Buffer.from(body, 'base64url')).sub;
}

async function redisAdapter(url) {
    const { createAdapter } = await import('@socket.io/redis-adapter');
    const { createClient } = await import('redis');
    const pub = createClient({ url }), sub = pub.duplicate();
    process.on('unhandledRejection', () => {}); // of a PUBLISH cut off in mid-flight, which the adapter lets fall
    for (const client of [pub, sub])
        client.on('error', () => {}); // it connects again by itself
    await Promise.all([pub.connect(), sub.connect()]);
    return createAdapter(pub, sub);
}

const adapter = redisUrl ? { adapter: await redisAdapter(redisUrl) } : {};
const io = new Server(Number(port), { serveClient: false, ...adapter });
io.use((socket, next) => {
    try {
        const { token } = socket.handshake.auth;
        socket.data.user = token ? userOf(token) : null;
        next();
    } catch (error) {
        next(error);
    }
});
io.on('connection', socket => {
    socket.on('join-room', (room, answer) => {
        socket.join(room);
        answer({ ok: true });
    });
    socket.on('message', (message, answer) => {
        io.to(message.roomId).emit('message', { ...message, userId: socket.data.user, ts: Date.now() });
        answer?.({ ok: true });
    });
});
