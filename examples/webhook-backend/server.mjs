// A small application behind hubbub: who may come in, which rooms are whose, what is published, what
// `call` answers, and a list of who is online. State is in memory; a real one would ask its database.
//
//     WEBHOOK_SECRET=… node server.mjs [port]
import { randomInt } from 'node:crypto';
import { createServer } from 'node:http';
import { webhook } from './webhook.mjs';

const port = Number(process.argv[2] ?? 8080);
const secret = process.env.WEBHOOK_SECRET;
if (!secret) {
    console.error('WEBHOOK_SECRET is not set');
    process.exit(1);
}

const passwords = new Map([['alice-password', 'alice'], ['bob-password', 'bob']]);
const online = new Set();

const handlers = {
    // Without `authenticate` in the plugin's options, `user` here is ignored.
    connect({ credential }) {
        const user = passwords.get(credential);
        return user ? { allow: true, user } : { allow: false, error: { code: 'unauthorized', message: 'Wrong password' } };
    },

    // Rooms `private:NAME` are of that user; the configuration's rules decide about all others.
    join({ room, user }) {
        return room.startsWith('private:') ? { allow: room === `private:${user}` } : undefined;
    },

    publish({ data, event }) {
        if (event === 'message' && typeof data?.text === 'string')
            return { data: { ...data, text: data.text.replace(/\bdarn\b/gi, '****') } };
    },

    call({ event, data, user }) {
        switch (event) {
        case 'roll': return { data: { user, rolled: randomInt(1, (Number(data?.sides) || 6) + 1) } };
        case 'online': return { data: [...online].sort() };
        default: return undefined; // not_found
        }
    },

    events({ events, lost }) {
        if (lost > 0)
            console.warn(`${lost} events were lost: ask the admin endpoint who is there`);
        for (const event of events) {
            if (event.type === 'server_started')
                online.clear();
            if (event.type === 'user_online')
                online.add(event.user);
            if (event.type === 'user_offline')
                online.delete(event.user);
            console.log(JSON.stringify(event));
        }
    },
};

createServer(webhook({ secret, handlers })).listen(port, '127.0.0.1', () => console.log(`listening on ${port}`));
