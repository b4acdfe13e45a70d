#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Run a command on a tree of a Debian release, on this machine's kernel: ``chroot.py -- COMMAND…``.

For what needs a release's Python and servers, but no device-mapper of its own, at full speed. What
it writes is lost at its end, when all processes that it started end, too; the checkout is there
under the same path. Needs root and overlayfs.
"""

import argparse
import pathlib
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from guest import checkout, tree

# Run in mount and process namespaces of its own.
_ENTER = """\
cd {work}
mount -t tmpfs tmpfs {work}/written
mkdir {work}/written/upper {work}/written/work
mount -t overlay -o lowerdir={tree},upperdir={work}/written/upper,workdir={work}/written/work \\
    overlay {work}/root
cp /etc/hosts /etc/resolv.conf {work}/root/etc/
mount -t proc proc {work}/root/proc
for directory in /dev /sys {shared}; do
    mkdir -p {work}/root/"$directory"
    mount --rbind "$directory" {work}/root/"$directory"
done
exec chroot {work}/root sh -e {project}/start
"""
_START = """\
{installation}
cd {directory}
exec env -i {environment} {command}
"""


def run(
    command: Sequence[str],
    release: str,
    layer: str = "test",
    shares: Sequence[pathlib.Path] = (),
) -> int:
    """Run ``command`` on a layer of a release's tree; gives back its exit status.

    :param shares: directories that it sees, and may write to, under the same path.
    """
    system = tree.tree(release, layer)
    with tempfile.TemporaryDirectory(prefix="chroot", dir="/var/tmp") as name:
        work = pathlib.Path(name)
        project = work / "project"
        for directory in (work / "root", work / "written", project):
            directory.mkdir()
        installation = checkout.install(project) if tree.has_environment(system) else ""
        environment = shlex.join(f"{k}={v}" for k, v in checkout.environment().items())
        (project / "start").write_text(
            _START.format(
                installation=installation,
                directory=shlex.quote(str(tree.ROOT)),
                environment=environment,
                command=shlex.join(command),
            )
        )
        enter = _ENTER.format(
            work=work,
            tree=system,
            shared=shlex.join(map(str, (tree.ROOT, project, *shares))),
            project=project,
        )
        unshare = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
        return subprocess.run([*unshare, "sh", "-ec", enter], stdin=subprocess.DEVNULL).returncode


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", choices=tree.RELEASES, default="trixie")
    parser.add_argument("--layer", choices=tree.LAYERS, default="test")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    return run(arguments.command, arguments.release, arguments.layer)


if __name__ == "__main__":
    sys.exit(main())
