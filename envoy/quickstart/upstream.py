"""A server that answers every request with its name: `upstream.py NAME PORT`, on the loopback address."""

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

name, port = sys.argv[1], int(sys.argv[2])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = f"{name}\n".encode()
        self.send_response(200)
        self.send_header("content-type", "text/plain")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer

    # Envoy logs every request.
    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    # Connections that Envoy keeps open do not hold up the end.
    daemon_threads = True


Server(("127.0.0.1", port), Handler).serve_forever()
