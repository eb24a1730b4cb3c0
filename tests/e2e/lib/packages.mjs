// The packages of this folder, for what lies outside of it.
export { io } from 'socket.io-client';
export { default as WebSocket } from 'ws';
