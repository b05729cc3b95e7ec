# redis_peer.py HEX HOW: a server on loopback that answers each message with these bytes, whatever it was: see redis.lua.
# Prints its port; ends with standard input.
import os, socket, sys, threading, time

reply, how = bytes.fromhex(sys.argv[1]), sys.argv[2]


def send(connection, count):
    if how == "drip":
        for i in range(len(reply)):
            connection.sendall(reply[i : i + 1])
            time.sleep(0.05)
    elif how == "endless":
        while True:
            connection.sendall(reply * 100)
    elif how == "late":
        time.sleep(0.4)
        connection.sendall(reply.replace(b"#", b"%d" % count))
    else:
        connection.sendall(reply)


count = 0


def serve(connection):
    global count
    try:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while connection.recv(65536):
            count += 1
            send(connection, count)
            if how == "close":
                break
        connection.close()
    except OSError:
        pass


def accept(listener):
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=accept, args=(listener,), daemon=True).start()
print(listener.getsockname()[1], flush=True)
sys.stdin.read()
os._exit(0)
