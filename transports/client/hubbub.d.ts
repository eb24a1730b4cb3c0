// Type declarations of hubbub.js, and its reference. What travels is in ../PROTOCOL.md.

export type TransportName = 'websocket' | 'sse' | 'longpoll';

/** Anything that JSON can say. */
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** An opaque position in one or more rooms' streams: to be kept and given back, never read. */
export type Cursor = string;

/**
 * - `connecting`: a transport is being tried.
 * - `online`: welcomed; ops are sent.
 * - `offline`: nothing worked, the next try comes by itself; ops wait.
 * - `closed`: for good, by close(), by the server's wish or for wrong credentials.
 */
export type State = 'connecting' | 'online' | 'offline' | 'closed';

/** A code of the protocol's, or one of the client's own. */
export type ErrorCode =
    | 'bad_request' | 'unknown_type' | 'unauthorized' | 'token_expired' | 'forbidden' | 'not_found'
    | 'too_large' | 'too_many_rooms' | 'room_full' | 'rate_limited' | 'conflict'
    | 'method_not_allowed' | 'unsupported_media_type' | 'unavailable' | 'internal'
    | 'closed' | 'disconnected' | 'heartbeat_missed' | 'left' | 'queue_full' | 'silent'
    | 'slow_consumer' | 'timeout'
    | (string & {});

export class HubError extends Error {
    readonly name: 'HubError';
    readonly code: ErrorCode;
    /** Milliseconds after which it may work. */
    readonly retryAfter?: number;
    /** The HTTP status, where there was one. */
    readonly status?: number;
    constructor(code: ErrorCode, message?: string, details?: object);
}

export interface Options {
    /** Sent in a header or, by WebSocket, as a subprotocol; never in an address. */
    token?: string;
    /** Asked for a token at each connection, and again when one was refused or has expired. */
    getToken?: () => string | null | undefined | Promise<string | null | undefined>;
    /** Which to use, best first. Default: websocket, sse, longpoll. */
    transports?: TransportName[];
    /** Path of the server's endpoints. Default: /hub. */
    base?: string;
    /** Whether cookies go along, as for fetch. Default: same-origin. */
    credentials?: RequestCredentials;
    /** Unanswered ops kept; one more fails with `queue_full`. Default: 1000. */
    queue?: number;
    /** Milliseconds after which an unanswered op fails with `timeout`. Default: 0, it waits. */
    timeout?: number;
    /** Milliseconds for a transport to open and be welcomed. Default: 8000. */
    openTimeout?: number;
    /** Milliseconds beyond the server's heartbeat before silence is a loss. Default: 10000. */
    grace?: number;
    /** Bounds of the reconnect delay (exponential, full jitter), ms. Defaults: 500 and 30000. */
    minDelay?: number;
    maxDelay?: number;
    /** A WebSocket class and a fetch, where the platform's are missing or not wanted. */
    WebSocket?: (new (url: string, protocols?: string[]) => any) | null;
    fetch?: typeof globalThis.fetch;
}

export interface Reply {
    ok: true;
}

export interface PublishReply extends Reply {
    /** Where the message is in the room's stream; absent in a room without history. */
    cursor?: Cursor;
    /** Milliseconds since 1970. */
    ts: number;
}

export interface PublishOptions {
    /** Default: `message`. */
    event?: string;
    /** Does this session get its own message? Default: true. */
    echo?: boolean;
    /** Makes it take effect once, however often it is sent. Default: one is made; null: none. */
    key?: string | null;
}

export interface Message<Data = any> {
    type: 'message';
    /** null: to every session, by the server. */
    room: string | null;
    event: string;
    data: Data;
    /** null: an anonymous sender, or the server. */
    user: string | null;
    ts: number;
    cursor?: Cursor;
}

export interface PresentUser<Data = any> {
    user: string;
    sessions: number;
    since: number;
    data?: Data;
}

export interface PresenceReply extends Reply {
    users: PresentUser[];
    count: number;
}

export interface PresenceEvent<Data = any> {
    type: 'presence';
    room: string;
    /** `sync`: `users` are all there are; `count`: there are too many to be told apart. */
    event: 'join' | 'leave' | 'update' | 'sync' | 'count';
    user?: string;
    session?: string;
    data?: Data;
    users?: PresentUser<Data>[];
    count?: number;
}

export interface HistoryReply extends Reply {
    messages: Message[];
    /** After the last message given: the `since` of the next page, or of a join. */
    cursor?: Cursor;
    more: boolean;
    recovered?: boolean;
}

export interface StateEvent {
    state: State;
    /** The one that is tried or in use. */
    transport: TransportName | null;
    /** Why it is offline or closed; null: it was asked to be. */
    error: HubError | null;
    /** Milliseconds to the next try, when offline. */
    retryIn?: number;
}

export interface JoinedEvent {
    room: string;
    members: number;
    recovered?: boolean;
}

/** Messages of this room were missed, and can't be given: fetch its state anew. */
export interface GapEvent {
    room: string;
}

/** The room can't be joined again. */
export interface LeftEvent {
    room: string;
    error: HubError;
}

export interface ByeEvent {
    type: 'bye';
    code: number;
    reason: string;
    reconnect: boolean;
    delay?: number;
}

export interface RoomEvents {
    message: Message;
    presence: PresenceEvent;
    /** Joined, at first or again. */
    joined: JoinedEvent;
    gap: GapEvent;
    left: LeftEvent;
}

export interface HubEvents extends RoomEvents {
    state: StateEvent;
    /** An error that belongs to no op. */
    error: HubError;
    /** The server's farewell; the client does what it says by itself. */
    bye: ByeEvent;
}

declare class Emitter<Events> {
    /** Gives a function that takes the listener off again. */
    on<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): () => void;
    off<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): void;
}

/** A handle of a room, whether joined or not; the hub has one for each name. */
export class Room extends Emitter<RoomEvents> {
    private constructor();
    readonly hub: Hub;
    readonly name: string;
    /** Where we are in its stream; null without history. */
    readonly cursor: Cursor | null;
    /** Sessions in it, when we joined. */
    readonly members: number;
    readonly joined: boolean;
    publish(data?: Json, options?: PublishOptions): Promise<PublishReply>;
    presence(options?: { data?: Json }): Promise<PresenceReply>;
    history(options?: { since?: Cursor | null; limit?: number }): Promise<HistoryReply>;
    leave(): Promise<void>;
}

/**
 * A connection that comes back. Ops are sent in order, kept over reconnects and answered once;
 * rooms are joined again from where they were: messages come in order, none twice, and none is
 * missing unless `gap` says so. Promises are rejected with HubError.
 */
export class Hub extends Emitter<HubEvents> {
    private constructor();
    readonly state: State;
    /** The one in use; null unless online. */
    readonly transport: TransportName | null;
    /** Of the present or last session; undefined before the first. */
    readonly session?: string;
    readonly user?: string | null;
    readonly node?: string;
    /** Ops that are not answered yet. */
    readonly pending: number;

    /** The handle of a room, to listen before it is joined. */
    room(name: string): Room;
    /**
     * Joins, and again in each new session. `data`: one's presence data. `since`: what came after
     * it is given as messages, or `gap` told. Resolves when in; messages come after that.
     */
    join(room: string, options?: { data?: Json; since?: Cursor | null }): Promise<Room>;
    leave(room: string): Promise<void>;
    /** Resolves when the message has its place in the room's stream. */
    publish(room: string, data?: Json, options?: PublishOptions): Promise<PublishReply>;
    /** Who is in a room; `data` sets one's own presence data first. */
    presence(room: string, options?: { data?: Json }): Promise<PresenceReply>;
    history(
        room: string, options?: { since?: Cursor | null; limit?: number },
    ): Promise<HistoryReply>;
    /** Asks the application; it is not asked again when its answer got lost (`disconnected`). */
    call<Result = any>(event: string, data?: Json): Promise<Result>;
    /** Hands in a new token, or what getToken gives, before the old one expires. */
    refresh(token?: string): Promise<void>;
    ping(): Promise<void>;
    /**
     * Changes to a transport while connected, keeping every room's position. Resolves with the one
     * in use: another one, if that one can't be had. null: back to the default order.
     */
    switchTo(transport: TransportName | null): Promise<TransportName | null>;
    /** Ends the session; what waits fails with `closed`. */
    close(): void;
}

/** Connects, by itself and again. Without an address: to the page's own server. */
export function connect(address?: string | URL, options?: Options): Hub;
export function connect(options: Options): Hub;
