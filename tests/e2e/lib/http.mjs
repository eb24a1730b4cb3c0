// Plain HTTP requests with any header, which fetch does not allow.
import { request } from 'node:http';
import { within } from './until.mjs';

/**
 * fetchHttp(url, {method, headers, body, agent}) → {status, headers, text, json}.
 * A body that is no string or Buffer is sent as JSON. `json` is undefined when the answer is none.
 */
export function fetchHttp(url, { method = 'GET', headers = {}, body, deadline } = {}) {
    const answered = new Promise((resolve, reject) => {
        const isRaw = body === undefined || typeof body === 'string' || Buffer.isBuffer(body);
        const bytes = isRaw ? body : JSON.stringify(body);
        const type = isRaw ? {} : { 'Content-Type': 'application/json' };
        const length = bytes === undefined ? {} : { 'Content-Length': Buffer.byteLength(bytes) };
        const outgoing = request(url,
            { method, agent: false, headers: { ...type, ...length, ...headers } });
        outgoing.on('error', reject);
        outgoing.on('upgrade', (answer, socket) => {
            socket.destroy();
            resolve({ status: answer.statusCode, headers: answer.headers, text: '' });
        });
        outgoing.on('response', answer => {
            const chunks = [];
            answer.on('data', chunk => chunks.push(chunk));
            answer.on('error', reject);
            answer.on('end', () => {
                const text = Buffer.concat(chunks).toString();
                resolve({ status: answer.statusCode, headers: answer.headers, text, json: parse(text) });
            });
        });
        outgoing.end(bytes);
    });
    return within(answered, `the answer to ${method} ${url}`, deadline);
}

function parse(text) {
    try {
        return JSON.parse(text);
    } catch {
        return undefined;
    }
}
