#!/usr/bin/python3
"""
OpenStack Swift with its S3 interface, on loopback, in a temporary folder: a real S3 server to test and measure with.

    python3 test/services/swift_server.py

prints one line of JSON, {"endpoint", "accessKey", "secretKey", "guestKey", "guestSecret"}, when it answers, and runs until it is killed
or until whoever started it is gone. The guest is known but may do nothing. Needs Debian's swift-proxy, swift-account, swift-container
and swift-object, and a temporary folder (TMPDIR) whose file system keeps extended attributes.
"""
import contextlib
import ctypes
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
import traceback
import urllib.error
import urllib.request

from swift.common import utils

# Processes per server. One proxy with its own cache is twice as fast as two that have to ask for every bucket again.
SERVERS = {'account': 1, 'container': 1, 'object': 2, 'proxy': 1}
KEYS = {'accessKey': 'test:tester', 'secretKey': 'testing', 'guestKey': 'test:guest', 'guestSecret': 'visiting'}

SWIFT = """
[swift-hash]
swift_hash_path_prefix = mindts
swift_hash_path_suffix = mindts
[storage-policy:0]
name = only
default = yes
"""
DEFAULT = """
[DEFAULT]
swift_dir = {folder}
bind_ip = 127.0.0.1
bind_port = {port}
devices = {folder}/devices
mount_check = false
fallocate_reserve = 0
log_level = ERROR
log_address = {folder}/nowhere
log_custom_handlers = __main__.log_to_stderr
"""
STORAGE = """
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
disk_chunk_size = 262144
network_chunk_size = 262144
"""
# slo, which joins parts, has to come after s3api, which asks for it.
PROXY = """
[pipeline:main]
pipeline = catch_errors cache s3api tempauth slo proxy-server
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
paste.filter_app_factory = __main__:with_cache
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
s3_acl = no
dns_compliant_bucket_names = no
max_upload_part_num = 10000
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
user_test_guest = visiting
[filter:slo]
use = egg:swift#slo
max_manifest_segments = 10000
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
object_chunk_size = 262144
client_chunk_size = 262144
"""


ENDS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}


def main():
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    die_with_parent(signal.SIGTERM)
    folder = tempfile.mkdtemp(prefix='mindts-swift-')
    children = []
    try:
        sockets = {name: listen() for name in SERVERS}
        ports = {name: sock.getsockname()[1] for name, sock in sockets.items()}
        configure(folder, ports)
        for name, processes in SERVERS.items():
            children += [start(name, folder, sockets[name]) for _ in range(processes)]
        threading.Thread(target=announce, args=[ports], daemon=True).start()
        if signal.sigwait(ENDS) == signal.SIGCHLD:
            sys.exit('swift_server.py: a server ended by itself')
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


def announce(ports):
    """Waits until every server answers, whatever it answers."""
    try:
        for port in ports.values():
            with contextlib.suppress(urllib.error.HTTPError):
                urllib.request.urlopen(f'http://127.0.0.1:{port}/', timeout=60)
        print(json.dumps({'endpoint': f"http://127.0.0.1:{ports['proxy']}", **KEYS}), flush=True)
    except OSError as error:
        print(f'swift_server.py: {error}', file=sys.stderr)
        os.kill(os.getpid(), signal.SIGTERM)


def listen():
    sock = socket.socket()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.bind(('127.0.0.1', 0))
    sock.listen(1024)
    return sock


def configure(folder, ports):
    from swift.common.ring import RingBuilder

    os.makedirs(f'{folder}/devices/disk')
    try:
        os.setxattr(folder, 'user.mindts', b'1')
    except OSError:
        sys.exit(f'swift_server.py: the file system of {folder} keeps no extended attributes; set TMPDIR')
    write(f'{folder}/swift.conf', SWIFT)
    utils.set_swift_dir(folder)
    for name, port in ports.items():
        own = PROXY if name == 'proxy' else STORAGE
        write(f'{folder}/{name}.conf', (DEFAULT + own).format(folder=folder, port=port, name=name))
        if name != 'proxy':
            ring = RingBuilder(part_power=4, replicas=1, min_part_hours=0)
            ring.add_dev({'region': 1, 'zone': 1, 'ip': '127.0.0.1', 'port': port, 'device': 'disk', 'weight': 1, 'meta': ''})
            ring.rebalance()
            ring.get_ring().save(f'{folder}/{name}.ring.gz')


def write(path, text):
    with open(path, 'w') as file:
        file.write(text)


def start(name, folder, sock):
    """One process of a server on a socket that is bound already: whoever connects before it is up, waits."""
    parent = os.getpid()
    child = os.fork()
    if child != 0:
        return child
    try:
        serve(name, folder, sock, parent)
    except BaseException:
        traceback.print_exc()
    finally:
        # Not back into main(), which would take the folder away.
        os._exit(1)


def serve(name, folder, sock, parent):
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
    die_with_parent(signal.SIGKILL, parent)
    # Nothing here has to outlive a power cut, and waiting for the disk would be all that a benchmark measures.
    os.fsync = os.fdatasync = lambda _: None
    utils.eventlet_monkey_patch()
    from eventlet.greenio import GreenSocket
    from swift.common import wsgi

    conf, logger, log_name = wsgi._initrp(f'{folder}/{name}.conf', f'{name}-server')
    utils.FALLOCATE_RESERVE, utils.FALLOCATE_IS_PERCENT = utils.config_fallocate_value('0')
    wsgi.run_server(conf, logger, GreenSocket(sock), global_conf={'log_name': log_name})


class Cache:
    """What the proxy wants of memcached."""

    def __init__(self):
        self.values = {}

    def get(self, key, *_, **__):
        return self.values.get(key)

    def set(self, key, value, **_):
        self.values[key] = value

    def delete(self, key, **_):
        self.values.pop(key, None)


def with_cache(app, global_conf, **conf):
    cache = Cache()

    def call(env, start_response):
        env['swift.cache'] = cache
        return app(env, start_response)

    return call


def log_to_stderr(conf, name, log_to_console, log_route, fmt, logger, adapted_logger):
    import logging

    logger.addHandler(logging.StreamHandler(sys.stderr))


def die_with_parent(number, parent=None):
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() == 1 or parent not in (None, os.getppid()):
        os.kill(os.getpid(), number)


main()
