#!/usr/bin/env python3
"""A libtorrent session that seeds or fetches one file over uTP alone.

    peer.py seed  FILE TORRENT   [--host HOST]              writes TORRENT, seeds FILE
    peer.py fetch TORRENT FOLDER --peer HOST:PORT [--host HOST]   fetches into FOLDER, leaves

TCP, DHT, local discovery, port mapping and encryption are off, so that nothing but uTP is left.
Events are JSON lines on standard output; the session leaves when standard input ends.

    {"ev":"listening","port":6881,"version":"2.1.1","pieces":400}
    {"ev":"fetched","pieces":400,"seconds":1.5,"utp":true}
    {"ev":"error","detail":"in words"}

Exit status: 0 done, 1 failed, 2 wrong usage, 89 the Python package libtorrent is missing.
"""

import argparse
import json
import os
import sys
import threading
import time

try:
    import libtorrent as lt
except ImportError as error:
    print(f"peer.py: {error}: pip install libtorrent", file=sys.stderr)
    sys.exit(89)

PIECE_BYTES = 256 * 1024
UTP_SOCKET = 1 << 17  # peer_info::utp_socket, which the package does not name


def session(host):
    """A session that listens on a port of its choice and speaks uTP alone."""
    address = f"[{host}]" if ":" in host else host
    return lt.session({
        "listen_interfaces": f"{address}:0",
        "enable_incoming_tcp": False,
        "enable_outgoing_tcp": False,
        "enable_incoming_utp": True,
        "enable_outgoing_utp": True,
        "enable_dht": False,
        "enable_lsd": False,
        "enable_upnp": False,
        "enable_natpmp": False,
        "in_enc_policy": int(lt.enc_policy.disabled),
        "out_enc_policy": int(lt.enc_policy.disabled),
        "allow_multiple_connections_per_ip": True,
        "alert_mask": int(lt.alert.category_t.error_notification),
    })


def emit(**event):
    """Reports an event at once."""
    print(json.dumps(event, separators=(",", ":")), flush=True)


def make_torrent(path, torrent):
    """Writes the torrent of one file, in the format that BEP-3 describes."""
    made = lt.create_torrent(
        lt.list_files(path), piece_size=PIECE_BYTES, flags=lt.create_torrent.v1_only
    )
    lt.set_piece_hashes(made, os.path.dirname(os.path.abspath(path)))
    with open(torrent, "wb") as out:
        out.write(lt.bencode(made.generate()))


def add(ses, torrent, folder, flags):
    """Adds a torrent, to be started at once."""
    params = lt.add_torrent_params()
    params.ti = lt.torrent_info(torrent)
    params.save_path = folder
    params.flags = flags
    return ses.add_torrent(params)


def listening(ses, handle):
    """Reports the port, once there is one."""
    deadline = time.monotonic() + 10
    while not ses.listen_port():
        if time.monotonic() > deadline:
            fail(ses, "the session does not listen")
        time.sleep(0.01)
    version = ".".join(lt.__version__.split(".")[:3])
    pieces = handle.torrent_file().num_pieces()
    emit(ev="listening", port=ses.listen_port(), version=version, pieces=pieces)


def seed(args):
    """Seeds until standard input ends."""
    make_torrent(args.file, args.torrent)
    ses = session(args.host)
    folder = os.path.dirname(os.path.abspath(args.file))
    handle = add(ses, args.torrent, folder, lt.torrent_flags.seed_mode)
    listening(ses, handle)
    leave_at_end_of_input().join()


def fetch(args):
    """Fetches from one peer, and leaves when all pieces are there."""
    leave_at_end_of_input()
    ses = session(args.host)
    handle = add(ses, args.torrent, args.folder, 0)
    listening(ses, handle)
    host, _, port = args.peer.rpartition(":")
    handle.connect_peer((host.strip("[]"), int(port)))
    first, utp = None, False
    while True:
        status = handle.status()
        peers = handle.get_peer_info()
        utp |= any(peer.flags & UTP_SOCKET for peer in peers)
        if first is None and status.total_payload_download > 0:
            first = time.monotonic()
        if status.errc.value():
            fail(ses, status.errc.message())
        if status.is_seeding:
            break
        time.sleep(0.005)
    seconds = time.monotonic() - first
    emit(ev="fetched", pieces=status.num_pieces, seconds=round(seconds, 3), utp=bool(utp))
    os._exit(0)  # The thread that waits for the end of the input would hold up another exit.


def fail(ses, detail):
    """Reports why nothing comes of it, with what the session has to say, and leaves."""
    alerts = [alert.message() for alert in ses.pop_alerts()]
    emit(ev="error", detail="; ".join([detail, *alerts]))
    os._exit(1)


def leave_at_end_of_input():
    """Leaves when standard input ends, so that no session outlives its harness."""
    def wait():
        sys.stdin.buffer.read()
        os._exit(0)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    modes = parser.add_subparsers(required=True)
    seeding = modes.add_parser("seed")
    seeding.add_argument("file")
    seeding.add_argument("torrent")
    seeding.set_defaults(run=seed)
    fetching = modes.add_parser("fetch")
    fetching.add_argument("torrent")
    fetching.add_argument("folder")
    fetching.add_argument("--peer", required=True, help="HOST:PORT of the peer to fetch from")
    fetching.set_defaults(run=fetch)
    args = parser.parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
