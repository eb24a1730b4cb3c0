// Tokens, right and wrong, minted with node's own crypto.
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';

export const SECRET = 'test-secret-that-is-32-bytes-long-or-more';

const encode = value => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
    .toString('base64url');

/** Key pairs as PEM text: rsaKeys().publicKey. */
export const rsaKeys = () => pemPair('rsa', { modulusLength: 2048 });
export const ecKeys = () => pemPair('ec', { namedCurve: 'P-256' });

function pemPair(type, options) {
    return generateKeyPairSync(type, {
        ...options,
        publicKeyEncoding: { type: 'spki', format: 'pem' },
        privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    });
}

function signature(algorithm, input, key) {
    const hash = `sha${algorithm.slice(2)}`;
    switch (algorithm.slice(0, 2)) {
    case 'HS': return createHmac(hash, key).update(input).digest('base64url');
    case 'RS': return sign(hash, Buffer.from(input), key).toString('base64url');
    case 'ES': return sign(hash, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
        .toString('base64url');
    default: return '';
    }
}

// Any header and payload, even none that parse, rightly signed.
function seal(header, payload, algorithm, key) {
    const input = `${encode(header)}.${encode(payload)}`;
    return `${input}.${signature(algorithm, input, key)}`;
}

/**
 * mint({sub: 'alice'}, {algorithm, key, header, ttl}): expires in an hour unless the claims or `ttl`
 * (seconds; null: no exp) say otherwise. algorithm: HS256 (default), RS256, ES256, … or none.
 */
export function mint(claims, { algorithm = 'HS256', key = SECRET, header = {}, ttl = 3600 } = {}) {
    const now = Math.floor(Date.now() / 1000);
    const all = { iat: now, ...ttl === null ? {} : { exp: now + ttl }, ...claims };
    return seal({ alg: algorithm, typ: 'JWT', ...header }, all, algorithm, key);
}

/** A token for a user, under SECRET. */
export const tokenFor = (user, claims = {}, options = {}) => mint({ sub: user, ...claims }, options);

function flipLast(token) {
    const [header, payload, tail] = token.split('.');
    return [header, payload, (tail[0] === 'A' ? 'B' : 'A') + tail.slice(1)].join('.');
}

/** Tokens that must be refused, each under the name of what is wrong with it. */
export function brokenTokens({ claims = { sub: 'mallory' }, key = SECRET, publicKey = null } = {}) {
    const good = mint(claims, { key });
    const [header, payload, tail] = good.split('.');
    const past = Math.floor(Date.now() / 1000) - 60;
    return {
        'an empty token': '',
        'no token at all': 'not-a-token',
        'two parts': `${header}.${payload}`,
        'four parts': `${good}.${tail}`,
        'no signature': `${header}.${payload}.`,
        'a changed signature': flipLast(good),
        'changed claims': [header, encode({ ...claims, sub: 'root' }), tail].join('.'),
        'algorithm none': mint(claims, { algorithm: 'none' }),
        'algorithm NONE in capitals': mint(claims, { algorithm: 'none', header: { alg: 'NONE' } }),
        'another secret': mint(claims, { key: 'another-secret-of-more-than-32-bytes!' }),
        'an algorithm that is not allowed': mint(claims, { algorithm: 'HS512', key }),
        'expired': mint({ ...claims, exp: past }, { key }),
        'not valid yet': mint({ ...claims, nbf: past + 3600 }, { key }),
        'no subject': mint({ ...claims, sub: undefined }, { key }),
        'a subject that is no string': mint({ ...claims, sub: 42 }, { key }),
        'an exp that is no number': mint({ ...claims, exp: 'tomorrow' }, { key }),
        'a header that is no JSON': seal('{"alg":"HS256"', claims, 'HS256', key),
        'a payload that is no JSON': seal({ alg: 'HS256' }, '{"sub":"mallory"', 'HS256', key),
        'a payload that is no object': seal({ alg: 'HS256' }, ['mallory'], 'HS256', key),
        ...publicKey && {
            'HS256 signed with the text of the public key': mint(claims, { key: publicKey }),
        },
    };
}
