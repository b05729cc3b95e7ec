# proxy_peer.py STATUS: a proxy on loopback that refuses whatever it is asked for with this status; "silent" says nothing. Prints
# its port; ends with standard input.
import socket, sys, threading

status = sys.argv[1]
reply = "HTTP/1.1 %s Refused\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Type: text/html\r\nContent-Length: 20\r\nConnection: close\r\n\r\n<html>refused</html>"


def serve(connection):
    try:
        seen = b""
        while b"\r\n\r\n" not in seen:
            piece = connection.recv(65536)
            if not piece:
                return
            seen += piece
        if status == "silent":
            connection.recv(65536)
        else:
            connection.sendall((reply % status).encode())
    except OSError:
        pass
    finally:
        connection.close()


def accept(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(20)
print(listener.getsockname()[1], flush=True)
threading.Thread(target=accept, args=(listener,), daemon=True).start()
sys.stdin.read()
