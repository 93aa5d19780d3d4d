// The answers of every app here, for Node: the worker of cluster.js, or under pm2. A
// release is this directory with two files beside the program: REVISION, and MODE, how
// it misbehaves.
'use strict';
const fs = require('fs');
const http = require('http');
const os = require('os');
const path = require('path');

const word = (name, otherwise) => {
  try { return fs.readFileSync(path.join(__dirname, name), 'utf8').trim(); } catch { return otherwise; }
};
const version = word('REVISION', 'dev');
const mode = word('MODE', 'ok');
const say = (text) => console.error(`shop ${version}[${process.pid}]: ${text}`);

say(`starting (mode ${mode})`);
if (mode === 'dies') throw new Error('cannot open database: relation "orders" does not exist');

function answer(req, body, reply) {
  const url = new URL(req.url, 'http://shop');
  switch (`${req.method} ${url.pathname}`) {
    case 'GET /': return reply(200, `shop ${version} ${os.hostname()}\n`);
    case 'GET /health':
      return mode === 'unhealthy' ? reply(500, 'payment gateway: connection refused\n') : reply(200, 'ok\n');
    case 'GET /version': return reply(200, `${version}\n`);
    case 'GET /slow': {
      const ms = Number(url.searchParams.get('ms'));
      return void setTimeout(() => reply(200, `slow ${version} ${ms} ms\n`), ms);
    }
    case 'POST /echo': return reply(200, body);
    default: return reply(404, 'not found\n');
  }
}

let leaving = false;
const server = http.createServer((req, res) => {
  const parts = [];
  req.on('data', (part) => parts.push(part));
  req.on('end', () => answer(req, Buffer.concat(parts), (status, text) => {
    const headers = { 'Content-Length': Buffer.byteLength(text), 'X-Version': version };
    if (leaving) headers.Connection = 'close';
    res.writeHead(status, headers);
    res.end(text);
  }));
});
server.keepAliveTimeout = 75000; // longer than a balancer keeps a connection

// leave answers what is in flight, and ends: its master (a message) or pm2 (INT) says so.
function leave() {
  if (leaving) return;
  leaving = true;
  server.close(() => { say('drained, gone'); process.exit(0); });
  server.closeIdleConnections();
  setInterval(() => server.closeIdleConnections(), 100).unref();
}
process.on('message', (text) => { if (text === 'leave') leave(); });
process.on('SIGINT', leave);
process.on('SIGTERM', leave);
process.on('disconnect', leave); // the master is gone

function serve() {
  server.listen(8080, () => {
    say('serving on 8080');
    if (process.send) process.send('ready');
    if (mode === 'latedeath') setTimeout(() => { say('out of licence seats, giving up'); process.exit(1); }, 1000);
  });
}
if (mode === 'hangs') {
  say('waiting for the cache to warm up');
  setInterval(() => {}, 1000);
} else {
  setTimeout(serve, mode === 'slowstart' ? 3000 : 0);
}
