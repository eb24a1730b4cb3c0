// The other end of hubbub's plugin webhook, for an application in Node: checks the signature and the
// age of each request, and hands it to a function of its type. No dependencies; copy it.
//
//     const listener = webhook({ secret: process.env.WEBHOOK_SECRET, handlers: {
//         connect: async ({ credential }) => ({ allow: true, user: await userOf(credential) }),
//         publish: ({ data }) => ({ data: { ...data, checked: true } }),
//         events: ({ events }) => events.forEach(event => console.log(event)),
//     } });
//     createServer(listener).listen(8080, '127.0.0.1');
import { createHmac, timingSafeEqual } from 'node:crypto';

const TOLERANCE_S = 5 * 60;
const BODY_MAX = 4 * 1024 * 1024;
const IDS_KEPT = 10_000;

const keyOf = secret => secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : Buffer.from(secret);

/** The signature that a request must carry: HMAC-SHA256 over id, timestamp and body, in base64. */
export function sign(secret, id, timestamp, body) {
    return createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.`).update(body).digest('base64');
}

/** Throws unless one of the signatures is right and the request is not too old or from the future. */
export function verify(secret, headers, body, now = Date.now()) {
    const id = headers['webhook-id'], timestamp = headers['webhook-timestamp'];
    if (!id || !(Math.abs(now / 1000 - Number(timestamp)) <= TOLERANCE_S))
        throw new Error('no id, or too old');
    const wanted = Buffer.from(sign(secret, id, timestamp, body));
    const matches = String(headers['webhook-signature']).split(' ').some(signature => {
        const got = Buffer.from(signature.replace(/^v1,/, ''));
        return got.length === wanted.length && timingSafeEqual(got, wanted);
    });
    if (!matches)
        throw new Error('wrong signature');
}

async function readBody(request) {
    const chunks = [];
    let size = 0;
    for await (const chunk of request) {
        size += chunk.length;
        if (size > BODY_MAX)
            throw new Error('too large');
        chunks.push(chunk);
    }
    return Buffer.concat(chunks);
}

function answer(response, status, body) {
    const text = body === undefined ? '' : JSON.stringify(body);
    response.writeHead(status, text ? { 'Content-Type': 'application/json' } : {});
    response.end(text);
}

/**
 * A request listener. `handlers[type]` gets the question and gives the answer, now or later; nothing
 * means no opinion. What it throws is an answer 500, so hubbub does what its `failure` says, and goes
 * to `log`.
 */
export function webhook({ secret, handlers, log = console.error }) {
    const seen = new Set(); // ids of batches: one may come twice, when its answer was lost

    function isRepeated(id) {
        if (seen.has(id))
            return true;
        seen.add(id);
        if (seen.size > IDS_KEPT)
            seen.delete(seen.values().next().value);
        return false;
    }

    async function ask(handler, question, id) {
        try {
            return await handler(question);
        } catch (error) {
            seen.delete(id); // it will come again
            throw error;
        }
    }

    return async function listener(request, response) {
        try {
            const body = await readBody(request);
            try {
                verify(secret, request.headers, body);
            } catch (error) {
                answer(response, 400, { error: { message: error.message } });
                return;
            }
            const question = JSON.parse(body), id = request.headers['webhook-id'];
            const handler = handlers[question.type];
            if (!handler || (question.type === 'events' && isRepeated(id))) {
                answer(response, 204);
                return;
            }
            const result = await ask(handler, question, id) ?? null;
            answer(response, result === null ? 204 : 200, result ?? undefined);
        } catch (error) {
            log(error);
            answer(response, 500);
        }
    };
}
