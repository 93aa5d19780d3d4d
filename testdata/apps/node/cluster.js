// A master that on USR2 replaces its workers, one after another, by ones that run the
// release installed now. ROLL says how: old-first, as in the books, ends a worker and
// then starts another; new-first has the new one serve before the old one goes, and
// gives up where it does not come up.
'use strict';
const cluster = require('cluster');
const path = require('path');

const newFirst = process.env.ROLL === 'new-first';
const workers = Number(process.env.WORKERS || 2);
// By the path as it was started, through the link; __dirname would be the release
// that this master was started from, for ever.
cluster.setupPrimary({ exec: path.join(path.dirname(process.argv[1]), 'server.js') });

const say = (text) => console.error(`master[${process.pid}]: ${text}`);
const once = (worker, event) => new Promise((resolve) => worker.once(event, resolve));
let stopping = false;
let rolling = false;

// start resolves to true once a new worker serves, to false when it ended before.
function start() {
  const worker = cluster.fork();
  return Promise.race([once(worker, 'listening').then(() => true), once(worker, 'exit').then(() => false)]);
}

function leave(worker) {
  worker.leaving = true;
  const gone = once(worker, 'exit');
  if (worker.isConnected()) worker.send('leave');
  return gone;
}

async function roll() {
  if (rolling) return say('USR2: already at it');
  rolling = true;
  say(`USR2: replacing ${Object.keys(cluster.workers).length} workers, ${newFirst ? 'new' : 'old'} ones first`);
  for (const old of Object.values(cluster.workers)) {
    if (!newFirst) await leave(old);
    while (!await start()) {
      if (newFirst) { rolling = false; return say('the new worker ended: the old ones stay'); }
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    if (newFirst) await leave(old);
  }
  rolling = false;
  say('replaced');
}

cluster.on('exit', (worker, code) => {
  if (worker.leaving || stopping || rolling) return;
  say(`worker ${worker.process.pid} ended with ${code}: another one in a second`);
  setTimeout(start, 1000);
});

async function stop() {
  stopping = true;
  await Promise.all(Object.values(cluster.workers).map(leave));
  process.exit(0);
}
process.on('SIGUSR2', roll);
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
for (let i = 0; i < workers; i++) start();
