// The proxies' configurations that the source ships, before a test's own nodes: real HAProxy, real nginx.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './ports.mjs';
import { runProxy } from './proxies.mjs';
import { shipped } from './server.mjs';
import { until } from './until.mjs';

/** The file with these nodes' ports and a front port of its own; lines of nodes that there are not go. */
function adapted(file, hubs, port) {
    const isThere = line => !/127\.0\.0\.1:300\d/.test(line) || /127\.0\.0\.1:300(\d)/.exec(line)[1] <= hubs.length;
    return readFileSync(shipped(file), 'utf8').split('\n').filter(isThere).join('\n')
        .replace('127.0.0.1:8080', `127.0.0.1:${port}`)
        .replace(/127\.0\.0\.1:300(\d)/g, (_, n) => `127.0.0.1:${hubs[n - 1].port}`)
        .replace(/port 910(\d)/g, (_, n) => `port ${hubs[n - 1].adminPort}`);
}

async function reaches(base) {
    await until(() => fetch(`${base}/hub/client.js`).then(({ ok }) => ok, () => false), 'the proxy to find a node');
    return base;
}

/** conf/haproxy.cfg before these nodes; gives its address. */
export async function startShippedHaproxy(t, hubs, { maxconn = 9000 } = {}) {
    const port = await freePort(), file = join(hubs[0].directory, 'haproxy.cfg');
    writeFileSync(file, adapted('conf/haproxy.cfg', hubs, port).replace(/maxconn \d+/, `maxconn ${maxconn}`));
    const [base] = await runProxy(t, 'haproxy', ['-db', '-q', '-f', file], [port]);
    return reaches(base);
}

/** conf/nginx.conf, likewise; what it writes lies in the first node's directory. */
export async function startShippedNginx(t, hubs) {
    const { directory } = hubs[0], port = await freePort(), file = join(directory, 'nginx.conf');
    const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${directory}/nginx-${name};`);
    writeFileSync(file, adapted('conf/nginx.conf', hubs, port).replace('http {', `http { access_log off; ${temps.join(' ')}`)
        .replace('worker_connections 20000', 'worker_connections 1000'));
    const [base] = await runProxy(t, 'nginx', ['-c', file, '-p', directory, '-e', 'stderr',
        '-g', `daemon off; master_process off; pid ${directory}/nginx.pid; error_log stderr;`], [port]);
    return reaches(base);
}
