// Alerts: rules at work, GET /alerts, what is told to a webhook and to a real Alertmanager, and a real
// Prometheus that scrapes.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createServer } from 'node:http';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { connect, open } from './lib/client.mjs';
import { fetchHttp } from './lib/http.mjs';
import { freePort, releasePort } from './lib/ports.mjs';
import { runHub, startHub } from './lib/server.mjs';
import { until, within } from './lib/until.mjs';

const rules = (items, more = {}) => ({ alerts: { defaults: false, rules: items, ...more } });
const alertsOf = async hub => {
    const { json } = await hub.admin('/alerts');
    assert.equal(json.status, 'success');
    return json.data.alerts;
};
const alertIs = (hub, name, state) => until(async () =>
    (await alertsOf(hub)).find(alert => alert.labels.alertname === name && alert.state === state),
async () => `${name} to be ${state}: ${JSON.stringify(await alertsOf(hub))}`, 20_000);
const alertGone = (hub, name) => until(async () =>
    !(await alertsOf(hub)).some(alert => alert.labels.alertname === name), `${name} to be gone`, 20_000);
const has = program => spawnSync('which', [program]).status === 0;

/** A webhook that answers as told; `got` has the bodies. */
async function startHook(t, port = 0) {
    const hook = { got: [], status: 200, requests: 0 };
    const server = createServer((request, answer) => {
        let text = '';
        request.on('data', chunk => { text += chunk; });
        request.on('end', () => {
            hook.requests++;
            if (hook.status === 200)
                hook.got.push(JSON.parse(text));
            answer.writeHead(hook.status).end();
        });
    });
    await new Promise(done => server.listen(port, '127.0.0.1', done));
    t.after(() => {
        server.closeAllConnections();
        server.close();
    });
    hook.url = `http://127.0.0.1:${server.address().port}/hook`;
    return hook;
}

/** Another server of the test's own; ended with it. */
function run(t, command, args, cwd) {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    child.log = '';
    for (const stream of [child.stdout, child.stderr])
        stream.on('data', chunk => { child.log += chunk; });
    const ended = new Promise(done => child.once('close', done));
    t.after(async () => {
        child.kill('SIGKILL');
        await ended;
    });
    return child;
}

const isUp = (base, path, child) => until(async () =>
    (await fetchHttp(base + path).catch(() => null))?.status === 200, () => `it to be up: ${child.log.slice(-2000)}`, 30_000);

test('a threshold is pending, then firing, then resolved', async t => {
    const hook = await startHook(t);
    const hub = await startHub(t, rules([
        { alert: 'Busy', metric: 'hubbub_connections', above: 1, for: '2s', labels: { severity: 'page' },
            annotations: { summary: '{{value}} connections, {{ $value }} of them, {{else}}' } },
        { alert: 'Sse', metric: 'hubbub_connections{transport="sse"}', above: 0 },
    ], { notify: [{ webhook: hook.url, format: 'json' }] }));
    assert.deepEqual(await alertsOf(hub), []);
    const clients = [await connect(hub), await connect(hub)];
    const pending = await alertIs(hub, 'Busy', 'pending');
    assert.deepEqual(pending.labels, { alertname: 'Busy', node: 'n1', severity: 'page' });
    assert.equal(pending.annotations.summary, '2 connections, 2 of them, {{else}}');
    assert.equal(pending.value, '2');
    assert.ok(Date.parse(pending.activeAt) <= Date.now());
    const firing = await alertIs(hub, 'Busy', 'firing');
    assert.equal(firing.activeAt, pending.activeAt);
    await hub.logged(/warn alert Busy fires value=2/);
    await clients[0].close();
    await alertGone(hub, 'Busy');
    await hub.logged(/info alert Busy is resolved value=1/);
    await until(() => hook.got.length >= 2, 'two notifications');
    const told = hook.got.map(body => body.data.alerts[0]);
    assert.deepEqual(told.map(alert => [alert.labels.alertname, alert.state]), [['Busy', 'firing'], ['Busy', 'resolved']]);
    assert.ok(Date.parse(told[1].resolvedAt) > Date.parse(told[1].activeAt));
});

test('rates, quantiles, ratios, spikes and collapses fire', async t => {
    const hub = await startHub(t, rules([
        { alert: 'Errors', metric: 'hubbub_errors_total{code="bad_request"}', rate: '10s', above: 0.5 },
        { alert: 'Slow', metric: 'hubbub_delivery_seconds', quantile: 0.5, over: '5s', above: 0 },
        { alert: 'Never', metric: 'hubbub_delivery_seconds', quantile: 0.5, over: '5s', above: 5 },
        { alert: 'Lost', metric: 'hubbub_errors_total{code="bad_request"}', of: 'hubbub_errors_total', of_min: 5, above: 0.9 },
        { alert: 'Spike', metric: 'hubbub_connections', spike: { factor: 2, over: '3s', floor: 4 } },
        { alert: 'Collapse', metric: 'hubbub_connections', collapse: { factor: 0.5, over: '3s', floor: 2 } },
        { alert: 'Files', metric: 'process_open_fds', of: 'process_max_fds', above: 0 },
    ]));
    const clients = [await connect(hub), await connect(hub)];
    await alertIs(hub, 'Files', 'firing');
    for (let i = 0; i < 10; i++)
        await clients[0].fails({ type: 'join', room: '' }, 'bad_request');
    await clients[0].join('room');
    await clients[0].publish('room', 1);
    await Promise.all(['Errors', 'Lost', 'Slow'].map(name => alertIs(hub, name, 'firing')));
    await until(async () => (await hub.admin('/api/v1/stats')).json.uptime_ms > 6000, 'the window to be full');
    assert.deepEqual((await alertsOf(hub)).filter(({ labels }) => /Never|Spike|Collapse/.test(labels.alertname)), []);
    for (let i = 0; i < 6; i++)
        clients.push(await connect(hub));
    await alertIs(hub, 'Spike', 'firing');
    await alertGone(hub, 'Spike');
    await Promise.all(clients.map(client => client.close()));
    await alertIs(hub, 'Collapse', 'firing');
    await alertGone(hub, 'Slow');
});

test('a target that is away is told later, in order', async t => {
    const port = await freePort();
    const hub = await startHub(t, rules([{ alert: 'Busy', metric: 'hubbub_connections', above: 0 }],
        { notify: [{ webhook: `http://hook:hunter2@127.0.0.1:${port}/x?key=hunter3`, format: 'json' }] }));
    const client = await connect(hub);
    await alertIs(hub, 'Busy', 'firing');
    await hub.logged(/warn notify .*tried again/);
    await client.close();
    await alertGone(hub, 'Busy');
    releasePort(port);
    const hook = await startHook(t, port);
    hook.status = 503;
    await until(() => hook.requests > 0, 'a try', 20_000);
    hook.status = 200;
    await until(() => hook.got.length === 2, 'both messages', 20_000);
    assert.deepEqual(hook.got.map(body => body.data.alerts[0].state), ['firing', 'resolved']);
    await hub.logged(/info notify http:\/\/127\.0\.0\.1:\d+ takes messages again/);
    assert.doesNotMatch(hub.stderr, /hunter/);
});

test('a reload keeps what its rules share with the former ones', async t => {
    const hook = await startHook(t);
    const busy = { alert: 'Busy', metric: 'hubbub_connections', above: 0 };
    const also = { alert: 'Also', metric: 'hubbub_sessions', above: 0 };
    const hub = await startHub(t, rules([busy, also], { notify: [{ webhook: hook.url, format: 'json' }] }));
    await connect(hub);
    await alertIs(hub, 'Also', 'firing');
    const before = await alertIs(hub, 'Busy', 'firing');
    hub.hup({ ...hub.config, ...rules([{ alert: 'New', metric: 'hubbub_rooms', below: 1 },
        { ...busy, labels: { severity: 'page' } }], { notify: [{ webhook: hook.url, format: 'json' }] }) });
    await alertIs(hub, 'New', 'firing');
    const after = await alertIs(hub, 'Busy', 'firing');
    assert.equal(after.activeAt, before.activeAt);
    assert.equal(after.labels.severity, 'page');
    assert.equal((await alertsOf(hub)).length, 2);
    await until(() => hook.got.some(body => body.data.alerts[0].labels.alertname === 'Also'
        && body.data.alerts[0].state === 'resolved'), 'Also to be resolved');
});

test('the built-in rules are quiet, may be replaced, and are checked with the file', async t => {
    const hub = await startHub(t, { limits: { connections: 10 },
        alerts: { rules: [{ alert: 'NearConnectionLimit', metric: 'hubbub_connections', above: 0 }] } });
    await connect(hub);
    await alertIs(hub, 'NearConnectionLimit', 'firing');
    assert.equal((await alertsOf(hub)).length, 1);
    const file = join(hub.directory, 'bad.yaml');
    writeFileSync(file, 'alerts: {rules: [{alert: A, metric: "x{", above: 1}, {alert: B, metric: m, quantile: 2, over: 1m, above: 1}]}\n');
    const { code, stderr } = await runHub(['check', '-c', file]);
    assert.equal(code, 1);
    assert.match(stderr, /1:37: 'metric': expected a metric/);
    assert.match(stderr, /quantile/);
});

test('a rule on what does not exist is refused: by check, at the start, by a reload', async t => {
    const rule = (metric, more = 'above: 1') => `{alert: 'a${metric.replaceAll('"', '')}', metric: '${metric}', ${more}}`;
    const file = (...items) => `plugins: {load: [{rate-limit: {messages: {rate: 1/s, burst: 1}}}]}
admin: {port: "\${ADMIN_PORT}"}
listen: [{address: 127.0.0.1, port: "\${PORT}"}]
node: n1
alerts: {rules: [${items.join(', ')}]}\n`;
    const fine = [rule('hubbub_connections{transport="sse"}'), rule('hubbub_rate_limit_evicted_total'), rule('process_open_fds'),
        rule('hubbub_hook_seconds{plugin="rate-limit",hook="publish"}', 'quantile: 0.9, over: 1m, above: 1')];
    const wrong = [[rule('hubbub_conections'), /no metric 'hubbub_conections'; did you mean 'hubbub_connections'\?/],
        [rule('hubbub_rooms', 'of: hubbub_session, above: 1'), /'of': there is no metric 'hubbub_session'; did you mean 'hubbub_sessions'/],
        [rule('hubbub_delivery_seconds_count'), /did you mean 'hubbub_delivery_seconds'/],
        [rule('hubbub_connections{transport="carrier-pigeon"}'), /'hubbub_connections' never has the label transport="carrier-pigeon"/],
        [rule('hubbub_nothing_of_the_kind_exists'), /there is no metric/],
        [rule('hubbub_rooms', 'quantile: 0.5, over: 1m, above: 1'), /only histograms have quantiles/],
        [rule('hubbub_rooms{'), /'metric': expected a metric/]];
    const hub = await startHub(t, file(...fine));
    const env = { PORT: String(hub.port), ADMIN_PORT: String(hub.adminPort) };
    const path = join(hub.directory, 'tried.yaml');
    const check = (...items) => {
        writeFileSync(path, file(...items));
        return runHub(['check', '-c', path], { env });
    };
    assert.equal((await check(...fine)).code, 0);
    const { code, stderr } = await check(...wrong.map(([text]) => text));
    assert.equal(code, 1);
    for (const [, message] of wrong)
        assert.match(stderr, message);
    assert.match(stderr, /tried\.yaml:5:\d+: /);
    const foreign = await check(rule('my_plugin_total'));
    assert.match(foreign.stderr, /warning: .*'my_plugin_total' is no metric of the core/);
    assert.equal(foreign.code, 0);

    // What runs knows its plugins' metrics, too.
    hub.configure(file(...fine, rule('hubbub_rate_limit_evictd_total')));
    const answer = await hub.admin('/api/v1/reload', { method: 'POST', headers: { 'Content-Type': 'application/json' } });
    assert.equal(answer.status, 400);
    assert.match(answer.json.error.message, /did you mean 'hubbub_rate_limit_evicted_total'/);
    await hub.stop();
    const started = await runHub(['-c', hub.configFile], { env });
    assert.equal(started.code, 1);
    assert.match(started.stderr, /there is no metric 'hubbub_rate_limit_evictd_total'/);
});

test('a real Alertmanager hears of a connection spike, and of its end',
    { skip: !has('prometheus-alertmanager') && 'no Alertmanager' }, async t => {
        const [port, cluster] = [await freePort(), await freePort()];
        const base = `http://127.0.0.1:${port}`;
        const hook = await startHook(t);
        const hub = await startHub(t, rules([
            { alert: 'ConnectionSpike', metric: 'hubbub_connections', spike: { factor: 3, over: '4s', floor: 20 }, for: '1s',
                labels: { severity: 'warning' }, annotations: { summary: '{{value}} connections' } },
        ], { notify: [{ webhook: `${base}/api/v2/alerts`, format: 'alertmanager' }] }));
        mkdirSync(join(hub.directory, 'am'));
        const file = join(hub.directory, 'alertmanager.yml');
        writeFileSync(file, `route: {receiver: hook, group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: hook, webhook_configs: [{url: '${hook.url}', send_resolved: true}]}]\n`);
        const manager = run(t, 'prometheus-alertmanager', [`--config.file=${file}`, `--storage.path=${join(hub.directory, 'am')}`,
            `--web.listen-address=127.0.0.1:${port}`, `--cluster.listen-address=127.0.0.1:${cluster}`], hub.directory);
        await isUp(base, '/-/ready', manager);
        await until(async () => (await hub.admin('/api/v1/stats')).json.uptime_ms > 6000, 'the window to be full');
        assert.deepEqual(await alertsOf(hub), []);
        const clients = (await Promise.all(Array.from({ length: 40 }, () => open(hub)))).map(({ client }) => client);
        const alert = await until(async () => (await fetchHttp(`${base}/api/v2/alerts`)).json
            .find(({ labels }) => labels.alertname === 'ConnectionSpike'), 'Alertmanager to know', 20_000);
        assert.deepEqual(alert.labels, { alertname: 'ConnectionSpike', node: 'n1', severity: 'warning' });
        assert.equal(alert.annotations.summary, '40 connections');
        const told = await until(() => hook.got.find(({ status }) => status === 'firing'), 'the receiver to be told', 20_000);
        assert.equal(told.alerts[0].labels.alertname, 'ConnectionSpike');
        await Promise.all(clients.map(client => client.close()));
        await alertGone(hub, 'ConnectionSpike');
        await until(() => hook.got.find(({ status }) => status === 'resolved'), 'the receiver to hear that it is over', 20_000);
    });

test('a real Prometheus scrapes, and promtool finds nothing wrong',
    { skip: !has('prometheus') && 'no Prometheus' }, async t => {
        const hub = await startHub(t);
        const port = await freePort();
        const base = `http://127.0.0.1:${port}`;
        await connect(hub);
        const file = join(hub.directory, 'prometheus.yml');
        writeFileSync(file, `global: {scrape_interval: 1s}
scrape_configs: [{job_name: hubbub, static_configs: [{targets: ['127.0.0.1:${hub.adminPort}']}]}]\n`);
        const prometheus = run(t, 'prometheus', [`--config.file=${file}`, `--storage.tsdb.path=${join(hub.directory, 'tsdb')}`,
            `--web.listen-address=127.0.0.1:${port}`], hub.directory);
        await isUp(base, '/-/ready', prometheus);
        const query = async text => (await fetchHttp(`${base}/api/v1/query?query=${encodeURIComponent(text)}`)).json.data.result;
        await until(async () => (await query('hubbub_connections{transport="websocket"}'))[0]?.value[1] === '1', 'the scraped value', 20_000);
        assert.equal((await query('up'))[0].value[1], '1');
        assert.equal((await query('hubbub_build_info')).length, 1);
        const { text } = await hub.admin('/metrics');
        const check = spawnSync('promtool', ['check', 'metrics'], { input: text });
        assert.equal(check.status, 0, check.stderr.toString() + check.stdout.toString());
        await within(hub.stop(), 'the end');
    });
