"""The answers of every app here, for Python's servers (gunicorn, uwsgi). A release is this
directory with two files beside the program: REVISION, and MODE, how it misbehaves."""
import os
import sys
import threading
import time
from urllib.parse import parse_qs

HERE = os.path.dirname(os.path.abspath(__file__))


def word(name, default):
    try:
        with open(os.path.join(HERE, name)) as f:
            return f.read().strip()
    except FileNotFoundError:
        return default


VERSION, MODE = word("REVISION", "dev"), word("MODE", "ok")


def say(text):
    print("shop %s[%d]: %s" % (VERSION, os.getpid(), text), file=sys.stderr, flush=True)


def die():
    say("out of licence seats, giving up")
    os._exit(1)


say("starting (mode %s)" % MODE)
if MODE == "dies":
    raise RuntimeError('cannot open database: relation "orders" does not exist')
if MODE == "slowstart":
    time.sleep(3)
while MODE == "hangs":
    say("waiting for the cache to warm up")
    time.sleep(3600)
if MODE == "latedeath":
    timer = threading.Timer(1, die)
    timer.daemon = True
    timer.start()


def application(environ, start_response):
    status, body = answer(environ)
    start_response(status, [("Content-Type", "application/octet-stream"),
                            ("Content-Length", str(len(body))), ("X-Version", VERSION)])
    return [body]


def answer(environ):
    route = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    if route == ("GET", "/"):
        return "200 OK", ("shop %s %s\n" % (VERSION, os.uname().nodename)).encode()
    if route == ("GET", "/health"):
        if MODE == "unhealthy":
            return "500 Internal Server Error", b"payment gateway: connection refused\n"
        return "200 OK", b"ok\n"
    if route == ("GET", "/version"):
        return "200 OK", (VERSION + "\n").encode()
    if route == ("GET", "/slow"):
        ms = int(parse_qs(environ["QUERY_STRING"])["ms"][0])
        time.sleep(ms / 1000)
        return "200 OK", ("slow %s %d ms\n" % (VERSION, ms)).encode()
    if route == ("POST", "/echo"):
        return "200 OK", environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return "404 Not Found", b"not found\n"
