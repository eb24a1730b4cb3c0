// A chat on one page: rooms, who talks, and the transport that carries it, to be switched by hand.
// What others send is never more than text: it goes into the page by textContent alone.
import { connect } from '/hub/client.js';

const LONGEST_LOG = 500;    // entries kept of a room
const MOST_SPEAKERS = 200;
const LONGEST_TEXT = 8_000; // shown of a message
const GROUP_TIME = 300_000; // between messages that stand together
const NAMES = { websocket: 'WebSocket', sse: 'SSE', longpoll: 'long polling' };
const HINTS = {
    websocket: 'One connection that carries both ways.',
    sse: 'A stream brings messages, each of yours is a POST.',
    longpoll: 'A request waits for messages, each of yours is a POST.',
};

const $ = id => document.getElementById(id);
const clone = id => $(id).content.firstElementChild.cloneNode(true);
const random = most => Math.floor(Math.random() * most);

// Storage may be off; then nothing is remembered.
const store = {
    get(kind, key) {
        try { return globalThis[kind].getItem(`chat.${key}`); } catch { return null; }
    },
    set(kind, key, value) {
        try { globalThis[kind].setItem(`chat.${key}`, value); } catch { /* not remembered */ }
    },
};

/** A list of texts that was stored, or none. */
function load(kind, key) {
    try {
        return JSON.parse(store.get(kind, key)).filter(text => typeof text === 'string' && text);
    } catch {
        return [];
    }
}

let hub;
let nick = store.get('localStorage', 'nick') || inventNick();
let active = null;
const rooms = new Map(); // by name; see addRoom()
const sent = new Map();  // id of a message of ours → its entry while it waits, then null
for (const id of load('sessionStorage', 'sent'))
    sent.set(id, null);

function inventNick() {
    const first = ['Brisk', 'Calm', 'Clever', 'Gentle', 'Lucky', 'Merry', 'Quiet', 'Sunny'];
    const second = ['Badger', 'Finch', 'Heron', 'Lynx', 'Marten', 'Otter', 'Puffin', 'Raven'];
    return `${first[random(first.length)]} ${second[random(second.length)]}`;
}

// ---- what others say about themselves

/** A name that can stand in a line: no control characters, not too long, not empty. */
function clean(name) {
    const text = typeof name === 'string' ? name.replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ').trim() : '';
    return [...text].slice(0, 40).join('') || 'anonymous';
}

function textOf(data) {
    const text = typeof data === 'string' ? data : data?.text;
    const shown = typeof text === 'string' ? text : JSON.stringify(data) ?? '';
    return shown.length > LONGEST_TEXT ? `${shown.slice(0, LONGEST_TEXT)}…` : shown;
}

function paintAvatar(element, name) {
    const letters = name.split(/\s+/).map(word => [...word][0]).filter(Boolean).slice(0, 2);
    const hash = [...name].reduce((sum, char) => (sum * 31 + char.codePointAt(0)) % 9973, 7);
    element.textContent = letters.join('').toUpperCase();
    element.classList.add(`hue-${hash % 8}`);
}

// ---- a room's entries

/** What of a room belongs to one identity's connection. */
const emptyLog = () => ({
    entries: [],
    cursors: new Set(),  // of the messages among them
    speakers: new Map(), // name → is it a guest? The last to speak is the last here
    present: null,       // user → details, or how many, or null where the server does not tell
    held: null,          // messages that wait while a gap is filled
});

function addRoom(name) {
    const item = clone('room-template');
    const [open, leave] = item.querySelectorAll('button');
    const room = { name, item, unread: 0, ...emptyLog() };
    item.querySelector('.name').textContent = name;
    leave.setAttribute('aria-label', `Leave ${name}`);
    open.addEventListener('click', () => show(room));
    leave.addEventListener('click', () => leaveRoom(room));
    rooms.set(name, room);
    $('rooms').append(item);
    rememberRooms();
    return room;
}

function rememberRooms() {
    store.set('localStorage', 'rooms', JSON.stringify([...rooms.keys()]));
}

/** History first, then a join from where it ends: nothing is missed between, or shown twice. */
async function enter(room) {
    const mine = hub;
    try {
        const past = await mine.history(room.name, { limit: 50 }).catch(() => null);
        if (mine !== hub)
            return;
        past?.messages.forEach(message => addMessage(room, message, true));
        await mine.join(room.name, { since: past?.cursor });
    } catch (error) {
        if (mine === hub && error.code !== 'left' && error.code !== 'closed')
            addNotice(room, `This room can’t be joined: ${error.message}`, 'bad');
    }
}

function leaveRoom(room) {
    hub.leave(room.name).catch(() => {});
    rooms.delete(room.name);
    room.item.remove();
    rememberRooms();
    if (active !== room)
        return;
    active = null;
    show(rooms.values().next().value ?? openRoom('lobby'));
}

function openRoom(name) {
    const known = rooms.get(name);
    if (known)
        return known;
    const room = addRoom(name);
    enter(room);
    return room;
}

function entryOf(message) {
    const { user, data, ts } = message;
    const id = typeof data?.id === 'string' ? data.id : null;
    return {
        kind: 'message', id, ts, cursor: message.cursor, text: textOf(data),
        isMine: user === null ? sent.has(id) : user === hub.user,
        name: user === null ? clean(data?.nick) : clean(user), isGuest: user === null,
        event: message.event === 'message' ? null : message.event,
    };
}

function addMessage(room, message, isPast = false) {
    if (room.held && !isPast) {
        room.held.push(message);
        return;
    }
    if (message.cursor && room.cursors.has(message.cursor))
        return;
    room.cursors.add(message.cursor);
    const entry = entryOf(message);
    room.speakers.delete(entry.name);
    room.speakers.set(entry.name, entry.isGuest);
    if (room.speakers.size > MOST_SPEAKERS)
        room.speakers.delete(room.speakers.keys().next().value);
    const waiting = entry.isMine && sent.get(entry.id);
    if (entry.isMine && !waiting && room.entries.some(other => other.id && other.id === entry.id))
        return; // ours, sent again after a lost answer
    if (waiting) {
        sent.set(entry.id, null);
        Object.assign(waiting, entry, { fate: null });
        paintMessage(waiting);
    } else {
        addEntry(room, entry);
    }
    if (!isPast)
        countUnread(room, entry);
    if (room === active)
        paintPeople();
}

function addNotice(room, text, tone = 'plain') {
    addEntry(room, { kind: 'notice', text, tone });
}

function addEntry(room, entry) {
    room.entries.push(entry);
    if (room.entries.length > LONGEST_LOG) {
        const first = room.entries.shift();
        first.element?.remove();
        room.cursors.delete(first.cursor);
    }
    if (room === active)
        appendEntry(entry, room.entries.at(-2));
}

function countUnread(room, entry) {
    if (entry.isMine || room === active && document.visibilityState === 'visible')
        return;
    room.unread++;
    paintUnread();
}

/** Missed for good: say so, and show what the history still has. What comes meanwhile waits. */
async function fillGap(room) {
    addNotice(room, 'Some messages were missed here', 'bad');
    room.held ??= [];
    const past = await hub.history(room.name, { limit: 50 }).catch(() => null);
    past?.messages.forEach(message => addMessage(room, message, true));
    const { held } = room;
    room.held = null;
    held?.forEach(message => addMessage(room, message));
}

// ---- painting

function show(room) {
    active = room;
    room.unread = 0;
    $('title').textContent = room.name;
    $('text').placeholder = `Message ${room.name}`;
    $('log').replaceChildren();
    delete $('log').dataset.day;
    room.entries.forEach((entry, i) => appendEntry(entry, room.entries[i - 1]));
    for (const { item, name } of rooms.values())
        item.firstElementChild.setAttribute('aria-current', name === room.name);
    scrollDown();
    paintUnread();
    paintPeople();
    if ($('side').matches(':popover-open'))
        $('side').hidePopover();
}

function appendEntry(entry, before) {
    const log = $('log');
    const wasDown = isDown();
    const day = new Date(entry.ts ?? Date.now()).toDateString();
    if (entry.kind === 'message' && day !== log.dataset.day && (log.dataset.day || day !== today()))
        log.append(noticeElement(longDay(entry.ts), 'day'));
    if (entry.kind === 'message')
        log.dataset.day = day;
    entry.element = entry.kind === 'notice' ? noticeElement(entry.text, entry.tone)
        : clone('message-template');
    if (entry.kind === 'message')
        paintMessage(entry, before);
    log.append(entry.element);
    if (wasDown || entry.isMine)
        scrollDown();
    else
        $('latest').hidden = false;
}

const today = () => new Date().toDateString();
const longDay = ts => new Date(ts)
    .toLocaleDateString(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const clock = ts => new Date(ts)
    .toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' });

function noticeElement(text, tone) {
    const element = clone('notice-template');
    element.classList.add(tone);
    element.firstElementChild.textContent = text;
    return element;
}

function paintMessage(entry, before) {
    const { element } = entry;
    if (!element)
        return;
    const find = name => element.querySelector(`.${name}`);
    const follows = before?.kind === 'message' && before.name === entry.name
        && before.isMine === entry.isMine && entry.ts - before.ts < GROUP_TIME;
    if (before !== undefined)
        element.classList.toggle('follows', follows);
    element.classList.toggle('mine', entry.isMine);
    element.classList.toggle('waits', entry.fate === 'waits');
    find('name').textContent = entry.name;
    paintAvatar(find('avatar'), entry.name);
    paintTag(find('tag'), entry.event ?? (entry.isGuest && !entry.isMine ? 'guest' : null));
    find('text').textContent = entry.text;
    const time = element.querySelector('time');
    time.dateTime = new Date(entry.ts).toISOString();
    time.textContent = clock(entry.ts);
    find('fate').hidden = !entry.fate;
    find('fate').textContent = entry.fate === 'waits' ? 'Sending…' : entry.fate ?? '';
}

function paintTag(element, text) {
    element.hidden = !text;
    element.textContent = text ?? '';
}

function paintUnread() {
    let total = 0;
    for (const room of rooms.values()) {
        const badge = room.item.querySelector('.unread');
        badge.hidden = room.unread === 0;
        badge.textContent = room.unread > 99 ? '99+' : String(room.unread);
        badge.setAttribute('aria-label', `${room.unread} unread`);
        total += room.unread;
    }
    $('menu-dot').hidden = total === 0;
    document.title = `${total ? `(${total}) ` : ''}${active?.name ?? 'chat'} · hubbub`;
}

/** Who is present, where the server tells; else who spoke, the last one first. */
function paintPeople() {
    const { present, speakers } = active;
    const here = present instanceof Map ? [...present.keys()] : [];
    const gone = present instanceof Map ? 'away' : null;
    const guests = [...speakers.keys()].reverse().filter(name => !here.includes(name)).slice(0, 30);
    $('people-list').replaceChildren(
        ...here.map(name => personElement(name, null, true)),
        ...guests.map(name => personElement(name, speakers.get(name) ? 'guest' : gone, false)));
    $('people-hint').textContent = here.length + guests.length ? '' : 'Nobody has spoken yet.';
    const count = typeof present === 'number' ? present : here.length;
    $('subtitle').textContent = count ? `${count} here` : `${guests.length} talking`;
}

function personElement(name, tag, isHere) {
    const element = clone('person-template');
    element.classList.toggle('here', isHere);
    element.querySelector('.name').textContent = name;
    paintAvatar(element.querySelector('.avatar'), name);
    paintTag(element.querySelector('.tag'), tag);
    return element;
}

// ---- the log's end

let isAtEnd = true;
const isDown = () => $('log').scrollHeight - $('log').scrollTop - $('log').clientHeight < 80;

function scrollDown() {
    $('log').scrollTop = $('log').scrollHeight;
    $('latest').hidden = true;
}

// ---- sending

async function send(text) {
    const room = active;
    const id = crypto.getRandomValues(new Uint32Array(3)).join('-');
    const name = hub.user ?? nick;
    const entry = { kind: 'message', id, ts: Date.now(), text, name: clean(name), isMine: true,
        isGuest: !hub.user, event: null, fate: 'waits' };
    sent.set(id, entry);
    store.set('sessionStorage', 'sent', JSON.stringify([...sent.keys()].slice(-200)));
    addEntry(room, entry);
    try {
        await hub.publish(room.name, { text, nick: hub.user ? undefined : nick, id });
    } catch (error) {
        entry.fate = `Not sent: ${error.message}`;
        paintMessage(entry);
    }
}

// ---- presence

function onPresence({ room: name, event, user, users, count }) {
    const room = rooms.get(name);
    if (!room)
        return;
    if (event === 'count')
        room.present = count;
    else if (event === 'sync')
        room.present = new Map(users.map(one => [clean(one.user), one]));
    else if (room.present instanceof Map && event === 'join')
        room.present.set(clean(user), {});
    else if (room.present instanceof Map && event === 'leave')
        room.present.delete(clean(user));
    if (room === active)
        paintPeople();
}

// ---- the connection

let countdown;

function onState({ state, transport, error, retryIn }) {
    clearInterval(countdown);
    document.body.dataset.state = state;
    document.body.dataset.transport = transport ?? '';
    const words = { connecting: 'Connecting', offline: 'Offline', closed: 'Closed' };
    $('status-text').textContent = words[state] ?? `Online, ${NAMES[transport]}`;
    if (transport && state === 'online') {
        document.querySelector(`input[value=${transport}]`).checked = true;
        $('carrier-hint').textContent = HINTS[transport];
        $('banner').hidden = true;
        paintYou();
    } else if (state === 'closed') {
        paintBanner(`The connection is closed${error ? `: ${error.message}` : ''}`);
    } else if (state === 'offline') {
        const end = Date.now() + retryIn;
        const tell = () => paintBanner('Connection lost. What you write is kept.',
            `Next try in ${Math.max(1, Math.ceil((end - Date.now()) / 1000))} s`);
        countdown = setInterval(tell, 500); // a short loss is not worth a word
        if (retryIn > 1500)
            tell();
    }
}

function paintBanner(text, count = '') {
    if ($('banner-text').textContent !== text)
        $('banner-text').textContent = text; // read aloud once
    $('banner-count').textContent = count;
    $('banner').hidden = false;
}

function paintYou() {
    const { user } = hub;
    $('signed').hidden = !user;
    $('nick-form').hidden = Boolean(user);
    $('token-box').hidden = Boolean(user);
    $('signed').querySelector('b').textContent = user ? clean(user) : '';
    if (user)
        paintAvatar($('signed').querySelector('.avatar'), clean(user));
}

/** A message runs along the wire, in its direction. */
function blip(isMine) {
    if (matchMedia('(prefers-reduced-motion: reduce)').matches)
        return;
    const way = [{ transform: 'translateX(-30%)', opacity: 0 }, { opacity: 1, offset: .3 },
        { transform: 'translateX(100%)', opacity: 0 }];
    const direction = isMine ? 'normal' : 'reverse';
    $('blip').animate(way, { duration: 700, easing: 'ease-in-out', direction });
}

function start(token) {
    hub?.close();
    const mine = hub = connect(token ? { token } : {});
    const heard = listener => event => { if (mine === hub) listener(event); };
    hub.on('state', heard(onState));
    hub.on('presence', heard(onPresence));
    hub.on('gap', heard(({ room }) => rooms.has(room) && fillGap(rooms.get(room))));
    hub.on('left', heard(({ room, error }) => rooms.has(room)
        && addNotice(rooms.get(room), `You are no longer in this room: ${error.message}`, 'bad')));
    hub.on('message', heard(message => {
        const room = message.room === null ? active : rooms.get(message.room);
        blip(sent.get(message.data?.id));
        if (message.event === 'token-expiring')
            addNotice(active, 'Your token expires soon', 'news');
        else if (message.room?.startsWith('@') || message.room === null)
            addNotice(active, textOf(message.data), 'news');
        else if (room)
            addMessage(room, message);
    }));
    for (const room of rooms.values()) {
        Object.assign(room, emptyLog());
        enter(room);
    }
    if (active)
        show(active);
}

// A token comes by #token=… or the field, and stays in this tab.
function takeToken() {
    const fragment = new URLSearchParams(location.hash.slice(1));
    if (fragment.has('token')) {
        store.set('sessionStorage', 'token', fragment.get('token'));
        history.replaceState(null, '', location.pathname + location.search);
    }
    return store.get('sessionStorage', 'token');
}

function signIn(token) {
    store.set('sessionStorage', 'token', token);
    start(token);
}

function listen() {
    $('composer').addEventListener('submit', event => {
        event.preventDefault();
        const text = $('text').value.trim();
        if (text)
            send(text);
        $('text').value = '';
        $('text').focus();
    });
    $('text').addEventListener('keydown', event => {
        if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
            event.preventDefault();
            $('composer').requestSubmit();
        }
    });
    onSubmit('join', 'join-name', name => show(openRoom(name)));
    onSubmit('token-form', 'token', signIn);
    onSubmit('nick-form', 'nick', name => {
        nick = clean(name);
        $('nick').value = nick;
        store.set('localStorage', 'nick', nick);
    }, false);
    $('sign-out').addEventListener('click', () => signIn(''));
    $('retry').addEventListener('click', () => {
        if (hub.state === 'closed')
            start(takeToken());
        else
            switchTo(document.querySelector('input[name=transport]:checked')?.value ?? 'websocket');
    });
    for (const input of document.querySelectorAll('input[name=transport]'))
        input.addEventListener('change', () => switchTo(input.value));
    $('latest').addEventListener('click', scrollDown);
    $('log').addEventListener('scroll', () => {
        isAtEnd = isDown();
        if (isAtEnd)
            $('latest').hidden = true;
    });
    // The composer grows, a keyboard comes up: what was in view at the end stays there.
    new ResizeObserver(() => isAtEnd && scrollDown()).observe($('log'));
    document.addEventListener('visibilitychange', () => {
        if (document.visibilityState === 'visible' && active) {
            active.unread = 0;
            paintUnread();
        }
    });
    matchMedia('(min-width: 1120px)').addEventListener('change', () =>
        document.querySelectorAll(':popover-open').forEach(panel => panel.hidePopover()));
}

function switchTo(transport) {
    hub.switchTo(transport).catch(() => {});
}

function onSubmit(form, field, use, empties = true) {
    $(form).addEventListener('submit', event => {
        event.preventDefault();
        const value = $(field).value.trim();
        if (!value)
            return;
        if (empties)
            $(field).value = '';
        use(value);
    });
}

const saved = load('localStorage', 'rooms').slice(0, 50);
(saved.length ? saved : ['lobby', 'random']).forEach(addRoom);
$('nick').value = nick;
listen();
start(takeToken());
show(rooms.values().next().value);
