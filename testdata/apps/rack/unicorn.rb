# unicorn answers one request at a time in each worker: as many as there are slow ones.
working_directory "/srv/shop/current"
listen 8080, backlog: 1024
worker_processes 24
pid "/run/shop/pid"
timeout 30
preload_app false
stderr_path "/srv/shop/shared/log" if ENV["SHOP_LOG"]
