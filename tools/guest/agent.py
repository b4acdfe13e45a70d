# SPDX-License-Identifier: Apache-2.0
"""Runs the host's commands in a QEMU guest; qemu.py is its other side.

It mounts what the host shares, runs ``setup`` and then speaks JSON lines on a virtio port:
``{"id", "command", "output", …}`` comes, ``{"id", "status"}`` goes. Output goes to a file that the
host sees. The standard library of any Python is all that it needs.
"""

import json
import pathlib
import subprocess
import threading
from typing import IO, Any

HERE = pathlib.Path(__file__).parent
PORT = "cg.agent"


def _port() -> pathlib.Path:
    for name in pathlib.Path("/sys/class/virtio-ports").glob("*/name"):
        if name.read_text().strip() == PORT:
            return pathlib.Path("/dev") / name.parent.name
    raise FileNotFoundError(PORT)


def _run(request: dict[str, Any], port: IO[bytes], lock: threading.Lock) -> None:
    with open(HERE / request["output"], "ab", buffering=0) as output:
        try:
            status = subprocess.run(
                request["command"],
                cwd=request["directory"],
                env=request["environment"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            ).returncode
        except OSError as error:
            output.write(f"{error}\n".encode())
            status = 127
    _say(port, lock, {"id": request["id"], "status": status})


def _say(port: IO[bytes], lock: threading.Lock, message: dict[str, Any]) -> None:
    with lock:
        port.write(json.dumps(message).encode() + b"\n")


def main() -> None:
    """Serve until the guest ends."""
    setup = subprocess.run(
        ["sh", "-e", HERE / "setup"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    lock = threading.Lock()
    with open(_port(), "r+b", buffering=0) as port:
        _say(port, lock, {"setup": setup.returncode, "output": setup.stdout.decode()})
        received = b""
        while True:
            received += port.read(65536)
            *lines, received = received.split(b"\n")
            for line in lines:
                threading.Thread(target=_run, args=(json.loads(line), port, lock)).start()


if __name__ == "__main__":
    main()
