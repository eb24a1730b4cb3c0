// socketio-server.mjs PORT SECRET: the application of the benchmark on socket.io: users by token (HS256),
// rooms, messages with the sender's name and the time. Connections without a token are anonymous.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { Server } from 'socket.io';

const [port, secret] = process.argv.slice(2);

function userOf(token) {
    const [head, body, signature] = token.split('.');
    const wanted = createHmac('sha256', secret).update(`${head}.${body}`).digest();
    const given = Buffer.from(signature ?? '', 'base64url');
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted))
        throw new Error('Invalid token');
    return JSON.parse(Buffer.from(body, 'base64url')).sub;
}

const io = new Server(Number(port), { serveClient: false });
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
    socket.on('message', message => {
        io.to(message.roomId).emit('message', { ...message, userId: socket.data.user, ts: Date.now() });
    });
});
