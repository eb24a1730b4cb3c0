// What a client was told, as it came, and waiting for what a test names, with a deadline.
import { within } from './until.mjs';

export class Inbox {
    constructor() {
        this.received = []; // everything, as it came
        this.unread = [];   // what next() has not taken
        this.waiting = [];
        this.end = null;    // why nothing more comes
    }

    take(event) {
        this.received.push(event);
        const index = this.waiting.findIndex(({ matches }) => matches(event));
        if (index < 0)
            this.unread.push(event);
        else
            this.waiting.splice(index, 1)[0].resolve(event);
    }

    finish(why) {
        this.end ??= why;
        for (const { reject } of this.waiting.splice(0))
            reject(new Error(`it ended (${this.end}) while waiting`));
    }

    /** The first unread event that matches, now or later; others stay unread. */
    next(matches = () => true, deadline) {
        const index = this.unread.findIndex(matches);
        if (index >= 0)
            return Promise.resolve(this.unread.splice(index, 1)[0]);
        if (this.end)
            return Promise.reject(new Error(`it has ended (${this.end})`));
        const waiter = { matches };
        const matched = new Promise((resolve, reject) => Object.assign(waiter, { resolve, reject }));
        this.waiting.push(waiter);
        return within(matched, () => `an event that matches ${matches}; unread: `
            + JSON.stringify(this.unread.slice(-5)), deadline)
            .finally(() => { this.waiting = this.waiting.filter(other => other !== waiter); });
    }

    /** The next message published in a room. */
    nextMessage(room, deadline) {
        return this.next(m => m.type === 'message' && (room === undefined || m.room === room), deadline);
    }

    /** All messages of a room so far, read or not. */
    messages(room) {
        return this.received.filter(m => m.type === 'message' && (room === undefined || m.room === room));
    }
}
