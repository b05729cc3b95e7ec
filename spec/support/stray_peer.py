# stray_peer.py SCENARIO DIRECTORY SOILED: an HTTP/1.1 server on loopback that sends what nobody asked for, as strays.lua has
# it in the file SCENARIO; over TLS with the certificate of the fake API in DIRECTORY, or "-". The first SOILED connections
# do so, all others serve properly: an answer names the path, and how many connections and requests the server has seen.
# Prints its port. A line "later" has it send what is due to idle connections, and "sent" follows when that has arrived. Ends
# with standard input, after 20 seconds at the latest.
import fcntl, json, os, select, signal, socket, ssl, struct, sys, termios, threading, time

scenario = json.load(open(sys.argv[1]))
directory, soiled = sys.argv[2], int(sys.argv[3])
seen = {"connections": 0, "requests": 0}
lock = threading.Lock()
gathered = threading.Barrier(soiled)
wakes = []


# A client that has gone confirms nothing.
def arrived(sock):
    stop = time.monotonic() + 2
    while time.monotonic() < stop and struct.unpack("i", fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0" * 4))[0] > 0:
        time.sleep(0.001)


# Each piece in a packet of its own, over TLS also in a record of its own.
def send(sock, pieces):
    for i, piece in enumerate(pieces):
        if i > 0:
            time.sleep(0.01)
        sock.sendall(piece.encode("latin-1"))
        arrived(sock)


def proper(path):
    with lock:
        body = json.dumps({"response": dict(seen, path=path)}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


# A request is all that comes in one piece: ours are short, and have no body.
def serve(sock, number, wake):
    served = 0
    while True:
        if wake in select.select([sock, wake], [], [])[0]:
            wake.recv(1)
            send(sock, scenario["later"])
            if scenario["closes"]:
                return
            wake.send(b"!")
            continue
        request = sock.recv(65536)
        if not request:
            return
        with lock:
            seen["requests"] += 1
        if number <= soiled and served == 0:
            gathered.wait(10)  # so that no connection is used twice before there are all
            send(sock, scenario["first"])
        else:
            sock.sendall(proper(request.split(b" ")[1].decode()))
        served += 1


def handle(context, sock, number, wake):
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            sock = context.wrap_socket(sock, server_side=True)
        serve(sock, number, wake)
    except OSError:
        pass  # the client went
    finally:
        sock.close()
        wake.close()


def accept(context, listener):
    while True:
        sock, _ = listener.accept()
        with lock:
            seen["connections"] += 1
            number = seen["connections"]
        ours, theirs = socket.socketpair()
        wakes.append(ours)
        threading.Thread(target=handle, args=(context, sock, number, theirs), daemon=True).start()


# Each connection's own thread sends, for two must not use one TLS session at once. One that the client has closed, as it
# may where it saw something, has nobody to send to.
def send_later():
    for wake in wakes[:soiled]:
        try:
            wake.send(b"!")
            wake.recv(1)
        except OSError:
            pass


signal.alarm(20)
context = None
if directory != "-":
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory + "/server.pem", directory + "/server.key")
    context.set_alpn_protocols(["http/1.1"])
listener = socket.create_server(("127.0.0.1", 0), backlog=64)
threading.Thread(target=accept, args=(context, listener), daemon=True).start()
print(listener.getsockname()[1], flush=True)
for line in sys.stdin:
    send_later()
    print("sent", flush=True)
os._exit(0)  # threads may still wait
