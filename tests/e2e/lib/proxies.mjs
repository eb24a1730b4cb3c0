// Real proxies in front of a hub: nginx and HAProxy with configurations of their own in the hub's
// directory, on ports of the test's own, gone when the test ends; and one that cuts every connection.
import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { freePort, releasePort } from './ports.mjs';
import { until, within } from './until.mjs';

const answers = port => new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => { socket.destroy(); resolve(true); });
    socket.once('error', () => resolve(false));
});

export async function runProxy(t, command, args, ports) {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '', ended = false;
    for (const stream of [child.stdout, child.stderr])
        stream.on('data', chunk => { output += chunk; });
    const closed = new Promise(done => child.once('close', () => { ended = true; done(); }));
    child.once('error', error => { output += error.message; ended = true; });
    t.after(async () => {
        child.kill('SIGTERM');
        if (!ended)
            await within(closed, `${command} to end`).catch(() => child.kill('SIGKILL'));
        ports.forEach(releasePort);
    });
    for (const port of ports)
        await until(() => {
            if (ended)
                throw new Error(`${command} did not start: ${output}`);
            return answers(port);
        }, `${command} to listen`);
    return ports.map(port => `http://127.0.0.1:${port}`);
}

/**
 * Three servers of one nginx: `usual` as its documentation has it for WebSockets, `plain` with nothing
 * but proxy_pass (HTTP/1.0 behind it, and no Upgrade), `buffering` that keeps back what it can.
 */
export async function startNginx(t, hub) {
    const ports = [await freePort(), await freePort(), await freePort()];
    const directory = hub.directory;
    const upstream = `proxy_pass http://127.0.0.1:${hub.port}; proxy_set_header Host $http_host;`;
    const file = join(directory, 'nginx.conf');
    const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
        .map(name => `${name}_temp_path ${directory}/nginx-${name};`).join(' ');
    writeFileSync(file, `
        daemon off; master_process off; pid ${directory}/nginx.pid; error_log stderr;
        events { worker_connections 512; }
        http {
            access_log off; ${temps}
            map $http_upgrade $connection_upgrade { default upgrade; '' close; }
            server {
                listen 127.0.0.1:${ports[0]};
                location / {
                    ${upstream} proxy_http_version 1.1;
                    proxy_set_header Upgrade $http_upgrade;
                    proxy_set_header Connection $connection_upgrade;
                }
            }
            server { listen 127.0.0.1:${ports[1]}; location / { ${upstream} } }
            server {
                listen 127.0.0.1:${ports[2]};
                location / { ${upstream} proxy_buffering on; proxy_ignore_headers X-Accel-Buffering; }
            }
        }`);
    const [usual, plain, buffering] = await runProxy(t, 'nginx', ['-c', file, '-p', directory, '-e', 'stderr'],
        ports);
    return { usual, plain, buffering };
}

/** nginx with TLS and HTTP/2, where one connection of a browser carries any number of streams. */
export async function startNginxHttp2(t, hub) {
    const port = await freePort();
    const directory = hub.directory, file = join(directory, 'nginx-h2.conf');
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost',
        '-keyout', join(directory, 'h2.key'), '-out', join(directory, 'h2.pem')], { stdio: 'ignore' });
    writeFileSync(file, `
        daemon off; master_process off; pid ${directory}/nginx-h2.pid; error_log stderr;
        events { worker_connections 512; }
        http {
            access_log off;
            ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(name => `${name}_temp_path ${directory}/h2-${name};`).join(' ')}
            server {
                listen 127.0.0.1:${port} ssl http2;
                ssl_certificate ${directory}/h2.pem; ssl_certificate_key ${directory}/h2.key;
                location / {
                    proxy_pass http://127.0.0.1:${hub.port}; proxy_http_version 1.1;
                    proxy_set_header Host $http_host; proxy_set_header Connection '';
                }
            }
        }`);
    await runProxy(t, 'nginx', ['-c', file, '-p', directory, '-e', 'stderr'], [port]);
    return `https://127.0.0.1:${port}`;
}

/** HAProxy: `usual`, and `impatient`, which ends what was silent for five seconds. */
export async function startHaproxy(t, hub) {
    const ports = [await freePort(), await freePort()];
    const file = join(hub.directory, 'haproxy.cfg');
    const section = (name, port, timeouts) => `
listen ${name}
    bind 127.0.0.1:${port}
    mode http
    timeout connect 5s
${timeouts.map(line => `    timeout ${line}\n`).join('')}    server hub 127.0.0.1:${hub.port}
`;
    writeFileSync(file, section('usual', ports[0], ['client 50s', 'server 50s', 'tunnel 1h'])
        + section('impatient', ports[1], ['client 5s', 'server 5s', 'tunnel 5s']));
    const [usual, impatient] = await runProxy(t, 'haproxy', ['-db', '-q', '-f', file], ports);
    return { usual, impatient };
}

/** A proxy of bytes that cuts each connection after `ms`, whatever is going on. */
export async function startCutter(t, hub, ms) {
    const port = await freePort();
    const sockets = new Set();
    const server = createServer(front => {
        const back = connect(hub.port, '127.0.0.1');
        const cut = () => { front.destroy(); back.destroy(); };
        const timer = setTimeout(cut, ms);
        for (const [from, to] of [[front, back], [back, front]]) {
            sockets.add(from);
            from.pipe(to);
            from.on('error', cut);
            from.on('close', () => { sockets.delete(from); clearTimeout(timer); to.destroy(); });
        }
    });
    await new Promise(listening => server.listen(port, '127.0.0.1', listening));
    t.after(() => {
        server.close();
        sockets.forEach(socket => socket.destroy());
        releasePort(port);
    });
    return `http://127.0.0.1:${port}`;
}
