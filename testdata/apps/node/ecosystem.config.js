// By paths through the link: pm2 keeps the path that it was given, and a relative one is
// the release that it was given in.
module.exports = {
  apps: [{
    name: 'shop',
    script: '/srv/shop/current/server.js',
    cwd: '/srv/shop/current',
    exec_mode: 'cluster',
    instances: 2,
    wait_ready: true,
    listen_timeout: 8000,
    kill_timeout: 10000,
  }],
};
