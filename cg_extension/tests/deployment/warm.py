# SPDX-License-Identifier: Apache-2.0
"""Starts Python programs without the second or two that they take to import what they build on.

With CG_TEST_WARM set, a process that has imported that, and nothing of ours, forks for each. What
comes of it is a process as any other: it has its own arguments, environment, directory, streams and
session, imports our code itself, ends as Python ends, and can be killed. Without the variable, and
so where coverage is measured, each program gets an interpreter of its own.
"""

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

SERVICE = (
    *("alembic.command", "alembic.config", "cheroot.wsgi", "futurist", "gunicorn.app.wsgiapp"),
    *("jsonschema", "keystonemiddleware.auth_token", "oslo_config.cfg", "oslo_log.log"),
    *("oslo_messaging", "oslo_middleware", "oslo_policy.policy"),
    *("oslo_db.sqlalchemy.enginefacade", "paste.deploy", "psycopg2", "pymysql", "routes"),
    *("sqlalchemy.dialects.mysql", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite"),
    *("stevedore", "webob"),
)
"""What the commands of ``cg_extension.cmd`` import of others: what is slow, and does not look at
arguments or environment meanwhile, as ``oslo_upgradecheck`` and ``prometheus_client`` do."""

LVM = ("oslo_config.cfg", "oslo_log.log", "oslo_privsep.priv_context")
"""What the LVM engine imports in a service."""

KEYSTONE = (
    *("gunicorn.app.wsgiapp", "gunicorn.workers.gthread", "keystone.cmd.cli"),
    *("keystone.server.wsgi", "keystone.api", "oslo_db.sqlalchemy.enginefacade"),
    *("sqlalchemy.dialects.sqlite",),
)
"""All of Keystone, and what it runs in."""

CLIENT = (
    *("openstackclient.shell", "openstackclient.identity.client", "openstackclient.volume.client"),
    *("cinderclient.v3.client", "openstack.block_storage.v3._proxy"),
    # It loads all of its commands, whichever is meant.
    *("openstackclient.common.*", "openstackclient.compute.v2.*", "openstackclient.identity.v3.*"),
    *("openstackclient.image.v2.*", "openstackclient.network.v2.*", "openstackclient.volume.v3.*"),
)
"""What the ``openstack`` command imports; ``.*``: and the modules in that package."""

_LIMIT = 1 << 18
"""Bytes of a request at most: arguments and environment."""

VARIABLE = "CG_TEST_WARM"
_COLD = "import sys; from {} import {} as main; sys.exit(main())"
_starting = threading.Lock()


class Program:
    """A running program; as much of ``subprocess.Popen`` as tests need."""

    def __init__(self, status: int) -> None:
        """:param status: a pipe from which come its process id and, at its end, its exit code."""
        self._status = os.fdopen(status, "rb", buffering=0)
        self._told = b""
        self.returncode: int | None = None
        self.pid = int(self._line(None) or 0)

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code once it has ended.

        :raises subprocess.TimeoutExpired: it has not within ``timeout`` seconds.
        """
        if self.returncode is None:
            self.returncode = int(self._line(timeout))
            self._status.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _line(self, timeout: float | None) -> bytes:
        """The next line of the pipe."""
        while b"\n" not in self._told:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("program", timeout or 0)
            more = self._status.read(64)
            if not more:
                raise RuntimeError("the process that programs are forked from has gone")
            self._told += more
        line, _, self._told = self._told.partition(b"\n")
        return line


def start(
    program: str,
    arguments: Sequence[str],
    *,
    modules: Sequence[str] = SERVICE,
    environment: Mapping[str, str] | None = None,
    directory: str | os.PathLike[str] | None = None,
    stdout: Any,
    stderr: Any,
    session: bool = False,
) -> Program | subprocess.Popen[bytes]:
    """Start ``program``, ``package.module:function``, with nothing at its standard input.

    :param modules: what it builds on, such as ``SERVICE``.
    :param environment: all of it; None: that of this process.
    :param stdout: a file; ``stderr``, too.
    :param session: whether it leads a session of its own.
    """
    environment = dict(os.environ if environment is None else environment)
    if not os.environ.get(VARIABLE):
        return subprocess.Popen(
            [sys.executable, "-c", _COLD.format(*program.split(":")), *arguments],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=session,
        )
    request = {
        "program": program,
        "arguments": list(arguments),
        "environment": environment,
        "directory": os.fspath(directory or os.getcwd()),
        "session": session,
    }
    with _starting:
        connection = _forker(tuple(modules))
    told, status = os.pipe()
    with open(os.devnull, "rb") as stdin:
        files = [stdin.fileno(), stdout.fileno(), stderr.fileno(), status]
        socket.send_fds(connection, [json.dumps(request).encode()], files)
    os.close(status)
    return Program(told)


def run(
    program: str,
    arguments: Sequence[str],
    *,
    modules: Sequence[str] = SERVICE,
    environment: Mapping[str, str] | None = None,
    timeout: float = 180,
) -> subprocess.CompletedProcess[str]:
    """Run ``program`` to its end; parameters as for ``start``.

    :raises subprocess.TimeoutExpired: it takes longer than ``timeout`` seconds; it was killed.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as complaints:
        process = start(
            *(program, arguments),
            modules=modules,
            environment=environment,
            stdout=output,
            stderr=complaints,
        )
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        output.seek(0)
        complaints.seek(0)
        command = [program, *arguments]
        return subprocess.CompletedProcess(command, code, output.read(), complaints.read())


@functools.cache
def _forker(modules: tuple[str, ...]) -> socket.socket:
    """A connection to a process that has imported ``modules``; it ends with this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno()), *modules],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    return ours


def _serve(connection: socket.socket) -> Callable[[], object] | None:
    """Fork for each request; gives the program to run in each child, and None at the end.

    Of each program's beginning and its end its ``status`` pipe tells.
    """
    # Of an interrupt the tests' process decides what becomes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    running: dict[int, tuple[int, int]] = {}  # by pidfd: process id, status pipe
    while True:
        ready = select.select([connection, *running], [], [])[0]
        for pidfd in set(ready) & set(running):
            pid, status = running.pop(pidfd)
            _pid, ended = os.waitpid(pid, 0)
            _tell(status, os.waitstatus_to_exitcode(ended))
            for file in (pidfd, status):
                os.close(file)
        if connection not in ready:
            continue
        message, files, _flags, _address = socket.recv_fds(connection, _LIMIT, 4)
        if not message:
            return None
        *streams, status = files
        pid = os.fork()
        if pid == 0:
            connection.close()
            for pidfd, (_pid, other) in running.items():
                os.close(pidfd)
                os.close(other)
            os.close(status)
            return _become(json.loads(message), streams)
        running[os.pidfd_open(pid)] = pid, status
        _tell(status, pid)
        for file in streams:
            os.close(file)


def _tell(status: int, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # nobody wants to know
        os.write(status, b"%d\n" % number)


def _become(request: Mapping[str, Any], streams: Sequence[int]) -> Callable[[], object]:
    """Make this process the program's; gives what it is to run."""
    if request["session"]:
        os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["directory"])
    sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    module, _, function = request["program"].partition(":")
    sys.argv = [module, *request["arguments"]]

    def run() -> object:
        return getattr(importlib.import_module(module), function)()

    return run


def main() -> None:
    """``warm.py FD MODULE…``: import the modules, then fork as asked by the socket FD."""
    number, *modules = sys.argv[1:]
    connection = socket.socket(fileno=int(number))
    for name in modules:
        module = importlib.import_module(name.removesuffix(".*"))
        if name.endswith(".*"):
            for found in pkgutil.iter_modules(module.__path__, f"{module.__name__}."):
                importlib.import_module(found.name)
    gc.freeze()  # What is shared with the children stays shared.
    program = _serve(connection)
    if program is not None:
        _end_as(program)


def _end_as(program: Callable[[], object]) -> None:
    """Run a program and end with its status, without taking apart what was imported.

    That takes a copy of each page that is shared with the process it was forked from.
    """
    codes: list[int] = []

    def leave() -> None:
        if codes:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(codes[0])

    atexit.register(leave)  # the first, which is called last
    try:
        answer = program()
    except SystemExit as ended:
        answer = ended.code
    if answer is None or isinstance(answer, int):
        codes.append(int(answer or 0))
    sys.exit(answer)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
