# h2_peer.py MODE DIRECTORY [N]: an HTTP/2 server on loopback, with the certificate of the fake API in DIRECTORY, that fails
# its N-th request (1) the way MODE says and serves all others. Prints its port, or "cannot" where the system's OpenSSL
# does not let it; ends with standard input, after 20 seconds at the latest. What it answers tells how many connections
# and requests it has seen, how many of the requests waited at once, and the HTTP version. MODE is one of
#   serve             fails nobody
#   gather            fails nobody; answers when no more requests come
#   handshake-close   the first connection closes during the handshake
#   handshake-reset   ... with an RST
#   tls1.1            speaks nothing newer, to anybody
#   stream-CODE       the stream is reset with this error code, the connection stays
#   half-CODE         ... after half of a body
#   half-unsized-CODE ... of a body without a Content-Length
#   goaway            GOAWAY instead of an answer: the request was not seen; then the connection closes
#   goaway-late       GOAWAY that says the request was seen; then the connection closes
#   goaway-after      an answer, then GOAWAY; the connection stays
#   close             the connection closes, without a word
import json, os, signal, socket, ssl, struct, sys, threading, time

import h2.config, h2.connection, h2.events, h2.exceptions

mode, directory = sys.argv[1:3]
victim = int(sys.argv[3]) if len(sys.argv) > 3 else 1
seen = {"connections": 0, "requests": 0, "at_once": 0}
lock = threading.Lock()


def server_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory + "/server.pem", directory + "/server.key")
    context.set_alpn_protocols(["h2", "http/1.1"])
    if mode == "tls1.1":
        use_old(context)
    return context


def use_old(context):
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")


def can_shake_hands(server):
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(directory + "/ca.pem")
    use_old(client)
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(down, up, server_hostname="localhost"), server.wrap_bio(up, down, server_side=True)]
    for _ in range(5):
        for end in list(ends):
            try:
                end.do_handshake()
                ends.remove(end)
            except ssl.SSLWantReadError:
                pass
    return not ends


def answer_to(requests, version):
    with lock:
        seen["at_once"] = max(seen["at_once"], requests)
        return json.dumps({"response": dict(seen, http_version=version)}).encode()


# A request is all that comes in one piece: ours are short.
def serve_old(sock):
    while sock.recv(65536):
        with lock:
            seen["requests"] += 1
        body = answer_to(1, "1.1")
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        sock.sendall(head.encode() + body)


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


class Connection:
    def __init__(self, sock):
        self.sock = sock
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.h2.initiate_connection()
        self.waiting = []

    def send(self):
        self.sock.sendall(self.h2.data_to_send())

    def head(self, stream, size):
        headers = [(":status", "200"), ("content-type", "application/json")]
        self.h2.send_headers(stream, headers + ([("content-length", str(size))] if size else []))

    def answer(self):
        body = answer_to(len(self.waiting), "2")
        for stream in self.waiting:
            self.head(stream, len(body))
            self.h2.send_data(stream, body, end_stream=True)
        self.waiting = []
        self.send()

    # Says whether the connection stays.
    def fail(self, stream):
        kind, _, code = mode.rpartition("-")
        if kind == "stream":
            self.h2.reset_stream(stream, int(code))
        elif kind.startswith("half"):
            self.head(stream, None if kind == "half-unsized" else 100)
            self.h2.send_data(stream, b'{"response": {"hal')
            self.send()
            time.sleep(0.03)  # what comes together with a reset is lost
            self.h2.reset_stream(stream, int(code))
        elif mode == "goaway-after":
            self.waiting.append(stream)
            self.answer()
            self.h2.close_connection(last_stream_id=stream)
        elif mode.startswith("goaway"):
            self.h2.close_connection(last_stream_id=stream if mode == "goaway-late" else 0)
        self.send()
        return kind in ("stream", "half", "half-unsized") or mode == "goaway-after"

    def request(self, stream):
        with lock:
            seen["requests"] += 1
            unlucky = seen["requests"] == victim
        if unlucky and mode not in ("serve", "gather", "handshake-close", "handshake-reset"):
            return self.fail(stream)
        self.waiting.append(stream)
        return True

    def serve(self):
        self.send()
        while True:
            # "gather": long enough for everything a client sends in one go.
            self.sock.settimeout(0.05 if self.waiting else None)
            try:
                data = self.sock.recv(65536)
            except TimeoutError:
                self.answer()
                continue
            if not data:
                return
            for event in self.h2.receive_data(data):
                if isinstance(event, h2.events.RequestReceived) and not self.request(event.stream_id):
                    return
            if self.waiting and mode != "gather":
                self.answer()
            self.send()


def handle(context, sock, number):
    try:
        if number == 1 and mode.startswith("handshake"):
            sock.recv(65536)  # unread bytes would turn the close into a reset
            if mode == "handshake-reset":
                reset(sock)
            return
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(sock, server_side=True) as tls:
            if tls.selected_alpn_protocol() == "h2":
                Connection(tls).serve()
            else:
                serve_old(tls)
    except (OSError, h2.exceptions.ProtocolError):
        pass  # the client went
    finally:
        sock.close()


def accept(context, listener):
    while True:
        sock, _ = listener.accept()
        with lock:
            seen["connections"] += 1
            number = seen["connections"]
        threading.Thread(target=handle, args=(context, sock, number), daemon=True).start()


signal.alarm(20)
context = server_context()
listener = socket.create_server(("127.0.0.1", 0), backlog=64)
threading.Thread(target=accept, args=(context, listener), daemon=True).start()
able = mode != "tls1.1" or can_shake_hands(context)
print(listener.getsockname()[1] if able else "cannot", flush=True)
sys.stdin.buffer.read()
os._exit(0)  # threads may still wait
