# Workers, as the unit says: a cluster can be replaced one worker after another (USR1), a
# single puma starts anew in the same process (USR2).
directory "/srv/shop/current"
rackup "config.ru"
bind "tcp://0.0.0.0:8080"
pidfile "/run/shop/pid"
environment "production"
threads 32, 32
workers Integer(ENV.fetch("SHOP_WORKERS", "0"))
