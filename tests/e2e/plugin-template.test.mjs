// What the manual for plugin writers says is true: its examples are built as it says, against what is
// installed, dropped in, and do what it says they do.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { connect } from './lib/client.mjs';
import { blocksOf, install } from './lib/installed.mjs';
import { tokenFor, SECRET } from './lib/jwt.mjs';
import { root, runHub, shipped, startHub } from './lib/server.mjs';
import { connect as connectStock, join as joinStock } from './lib/sio.mjs';
import { until } from './lib/until.mjs';

const manual = readFileSync(join(root, 'plugins/README.md'), 'utf8');
const blocks = blocksOf(manual);

// The C files of the manual, put together.
function sources() {
    const files = {};
    for (const { language, name, text } of blocks)
        if (language === 'c') {
            assert.match(name, /^\w+\.c$/, `every C block belongs to a file:\n${text}`);
            files[name] = (files[name] ?? '') + text;
        }
    return files;
}

// Builds a plugin of the manual with the commands of the manual, and drops it in; gives the folder.
async function build(t, name, options) {
    const place = await install(t);
    const dropIn = join(place.work, 'plugins.d');
    for (const [file, text] of Object.entries(sources()))
        writeFileSync(join(place.work, file), text);
    const commands = blocks.find(({ language, text }) => language === 'sh' && text.startsWith('cc ')).text
        .replace('-Wall', '-Wall -Werror')
        .replace(/^echo .*\n/m, '')
        .replace(/^hubbub plugins\n/m, '')
        .replaceAll('/etc/hubbub/plugins.d', dropIn)
        .replaceAll('bouncer', name);
    place.sh(commands);
    if (options)
        writeFileSync(join(dropIn, `${name}.yaml`), options);
    return { place, dropIn };
}

test('meson install has all that is needed to run, and to write modules', async t => {
    const place = await install(t);
    for (const pattern of [/\/bin\/hubbub$/, /\/hubbub\/transports\/websocket\.so$/,
        /\/hubbub\/plugins\/auth-jwt\.so$/, /\/include\/hubbub\/plugin\.h$/, /\/include\/hubbub\/transport\.h$/,
        /\/include\/hubbub\/backend\.h$/, /\/share\/hubbub\/hubbub\.js$/, /\/examples\/chat\/index\.html$/,
        /etc\/hubbub\/hubbub\.yaml$/, /etc\/hubbub\/full\.yaml$/])
        place.find(pattern);
    assert.deepEqual(place.files.filter(file => /\.(h|hpp)$/.test(file) && !/include\/hubbub\/\w+\.h$/.test(file)), []);
    const header = readFileSync(place.find(/include\/hubbub\/plugin\.h$/), 'utf8');
    const abi = ['MAJOR', 'MINOR'].map(part => new RegExp(`HB_ABI_${part} (\\d+)`).exec(header)[1]).join('.');
    assert.equal(place.sh('pkg-config --variable=abi hubbub').trim(), abi);
    for (const [variable, file] of [['plugindir', 'auth-jwt.so'], ['transportdir', 'websocket.so']]) {
        const folder = place.sh(`pkg-config --variable=${variable} hubbub`).trim();
        const inRoot = folder.startsWith(place.root) ? folder : join(place.root, folder);
        assert.ok(existsSync(join(inRoot, file)), `${variable}: ${folder}`);
    }
});

test('an upgrade keeps the configuration that is there', async t => {
    const place = await install(t);
    const file = place.find(/etc\/hubbub\/hubbub\.yaml$/);
    writeFileSync(file, '# mine\n');
    place.env.DESTDIR = place.root;
    place.sh(`'${join(root, 'conf/install.sh')}' '${shipped('conf/hubbub.yaml')}' /etc/hubbub`);
    assert.equal(readFileSync(place.find(/etc\/hubbub\/hubbub\.yaml$/), 'utf8'), '# mine\n');
});

test('the first plugin of the manual is the template, and under 60 lines', () => {
    const text = sources()['bouncer.c'];
    assert.equal(text, readFileSync(join(root, 'examples/plugin-template/bouncer.c'), 'utf8'));
    assert.ok(text.split('\n').length - 1 < 60);
});

test('the first plugin, built and dropped in as the manual says, denies joins by name', async t => {
    const { place, dropIn } = await build(t, 'bouncer');
    place.sh(`${/^echo .*$/m.exec(manual)[0].replaceAll('/etc/hubbub/plugins.d', dropIn)}`);
    const hub = await startHub(t, { plugins: { drop_in: [dropIn] } });
    const listing = await runHub(['plugins', '-c', hub.configFile]);
    assert.match(listing.stdout, /bouncer .*loaded$/m);
    const alice = await connect(hub);
    await alice.join('lobby');
    for (const room of ['staff', 'vault']) {
        const error = await alice.fails({ type: 'join', room }, 'forbidden');
        assert.equal(error.message, 'This room is closed.');
    }
    await alice.join('vaults');
    writeFileSync(join(dropIn, 'bouncer.yaml'), 'rooms: [lobby]\nmessage: No more.\n');
    hub.hup();
    await until(async () => (await alice.request({ type: 'join', room: 'vault' })).ok, 'the new options');
    const bob = await connect(hub);
    assert.equal((await bob.fails({ type: 'join', room: 'lobby' }, 'forbidden')).message, 'No more.');
});

test('the test of the manual passes', async t => {
    const { place } = await build(t, 'bouncer');
    place.sh('cc -Wall -Wextra -Werror -Wno-unused-parameter $(pkg-config --cflags hubbub) ' +
        '-o test_bouncer test_bouncer.c bouncer.c && ./test_bouncer');
});

test('the template builds with meson, passes its test, and is loaded', async t => {
    const place = await install(t);
    const folder = place.copyExample('plugin-template');
    place.sh('meson setup --werror build && ninja -C build && meson test -C build', folder);
    const hub = await startHub(t, { plugins: { directories: [join(folder, 'build')],
        load: [{ bouncer: { rooms: 'vault', message: 'Out.' } }] } });
    const alice = await connect(hub);
    assert.equal((await alice.fails({ type: 'join', room: 'vault' }, 'forbidden')).message, 'Out.');
});

test('a plugin that others could write to is not loaded', async t => {
    const { place, dropIn } = await build(t, 'bouncer', 'rooms: [staff]');
    const config = join(place.work, 'hubbub.yaml');
    writeFileSync(config, `plugins: {drop_in: [${dropIn}]}\n`);
    assert.equal((await runHub(['check', '-c', config])).code, 0);
    for (const [path, who] of [[dropIn, 'o'], [join(dropIn, '..'), 'o'], [join(dropIn, 'bouncer.so'), 'g']]) {
        place.sh(`chmod ${who}+w ${path}`);
        const { code, stderr } = await runHub(['check', '-c', config]);
        assert.equal(code, 1, path);
        assert.match(stderr, /bouncer\.so: not loaded: .* may be written to by/, path);
        assert.match((await runHub(['plugins', '-c', config])).stdout, /^plugin +bouncer .*not loaded: .* may be written to by/m, path);
        place.sh(`chmod ${who}-w ${path}`);
    }
    place.sh(`chmod 1777 ${join(dropIn, '..')}`); // as /tmp is
    assert.equal((await runHub(['check', '-c', config])).code, 0);
});

test('the second plugin of the manual does all that the manual says', async t => {
    const { place, dropIn } = await build(t, 'clerk',
        'quota: 3\ntally: {every: 20ms}\nnotice: notice.txt\n');
    const notice = join(dropIn, 'notice.txt');
    writeFileSync(notice, 'closed on Mondays');
    const hub = await startHub(t, { transports: { websocket: {}, socketio: {} }, plugins: { drop_in: [dropIn],
        load: [{ 'auth-jwt': { secret: SECRET, anonymous: true } }] } });
    const [alice, bob] = [await connect(hub, { token: tokenFor('alice') }), await connect(hub)];
    await bob.join('office');
    await alice.join('office');

    await t.test('a slot on each session', async () => {
        for (let i = 0; i < 3; i++)
            await alice.publish('office', i);
        const error = await alice.fails({ type: 'publish', room: 'office', data: 3 }, 'forbidden');
        assert.equal(error.message, 'The clerk has heard enough of you.');
        await bob.publish('office', 'but not of me');
    });
    await t.test('timers', async () => {
        let said = 0; // each worker tells what it heard
        while (said < 4) {
            const tally = await bob.next(m => m.event === 'tally');
            assert.equal(tally.user, null);
            said += tally.data.said;
        }
        assert.equal(said, 4);
    });
    await t.test('late answers, in order with the ops behind them', async () => {
        const answers = await Promise.all([
            alice.ok({ type: 'call', event: 'ask', data: 'why?' }), alice.ok({ type: 'ping' }),
            bob.ok({ type: 'call', event: 'ask', data: [1, 2] })]);
        assert.deepEqual(answers.map(answer => answer.data), [{ bytes: 6 }, undefined, { bytes: 5 }]);
        const replies = alice.received.filter(m => m.type === 'reply').slice(-2);
        assert.deepEqual(replies.map(reply => reply.data), [{ bytes: 6 }, undefined]);
        await alice.fails({ type: 'call', event: 'other' }, 'not_found');
    });
    await t.test('clients are asked, and their answers come in one list', async t => {
        const carol = await connectStock(t, hub);
        await joinStock(carol, 'office');
        carol.on('vote', (motion, answer) => answer(`${motion}: yes`));
        assert.deepEqual((await alice.ok({ type: 'call', event: 'vote', data: 'tea' })).data, ['tea: yes']);
        assert.equal((await bob.next(m => m.event === 'vote')).data, 'tea');
    });
    await t.test('a descriptor is watched', async () => {
        writeFileSync(notice, 'closed on Tuesdays');
        await bob.next(m => m.event === 'notice');
    });
    await t.test('metrics', () =>
        until(async () => await hub.metric('hubbub_clerk_questions_total') === 2, 'two questions'));
    await t.test('reload', async () => {
        writeFileSync(join(dropIn, 'clerk.yaml'), 'room: "@bob"\n');
        hub.hup();
        await hub.logged(/'@bob' is no room that clients may join/);
        writeFileSync(join(dropIn, 'clerk.yaml'), 'room: hall\nquota: 4\nnotice: notice.txt\n');
        await bob.join('hall');
        hub.hup();
        await until(async () => (await alice.request({ type: 'publish', room: 'office', data: 3 })).ok,
            'the larger quota');
        writeFileSync(notice, 'closed');
        assert.equal((await bob.next(m => m.event === 'notice')).room, 'hall');
    });
    await t.test('a command', async () => {
        const { code, stdout } = await runHub(['clerk', '-c', hub.configFile]);
        assert.deepEqual([code, stdout], [0, 'The clerk speaks in hall.\n']);
    });
    await t.test('mistakes in options have their place', async () => {
        writeFileSync(join(dropIn, 'clerk.yaml'), 'qota: 4\n');
        const { code, stderr } = await runHub(['check', '-c', hub.configFile]);
        assert.equal(code, 1);
        assert.match(stderr, /clerk\.yaml:1:1: .*quota/);
    });
});
