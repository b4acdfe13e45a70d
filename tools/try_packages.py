#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds our Debian packages and tries them on a machine that has never seen this repository.

``try_packages.py --release trixie``: a QEMU guest with systemd, device-mapper and the release's own
packages installs them, makes a group snapshot, runs the service, and takes them off again. Prints
the platform, what held, and ``N passed, N failed, 0 skipped``.
"""

import argparse
import contextlib
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import build_packages
from guest import qemu, tree

# Seconds for one step in a guest whose processors are translated.
PATIENCE = 1800
# What a package depends on in the archive: all but ours, each of which the guest gets as a file.
_OURS = ("python3-cg-extension", "cg-lvm", "cg-extension", "cinder-cg-extension")
_INSTALL = "apt-get install --yes --quiet --no-install-recommends"
# Of all files but those of dpkg, logs and what is made anew at each boot.
_FILES = (
    (
        "find / -xdev ( -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/lib/systemd "
        "-o -path /var/log -o -path /var/cache -o -path /tmp -o -path /root ) -prune -o -print"
    )
    .replace("(", "\\(")
    .replace(")", "\\)")
)
_GET = (
    "import urllib.request as r; print(r.urlopen(r.Request('http://127.0.0.1:8776{}', "
    "headers={{'X-Auth-Token': 'me:demo'}})).read().decode())"
)

_BEGIN = """
        export DEBIAN_FRONTEND=noninteractive"""
# What is done in the guest, in the directory of the packages, one after another: what each shows,
# and shell commands all of which succeed then.
STEPS = {
    "cg-lvm installs with what the archive has": f"""
        {_FILES} | sort >/root/before
        {_INSTALL} ./cg-lvm_*.deb ./python3-cg-extension_*.deb
        cg-lvm --help""",
    "cg-lvm makes a group snapshot of two thin volumes": """
        pvcreate -q /dev/vdb
        vgcreate -q vg /dev/vdb
        lvcreate -q --type thin-pool -L 200M -n pool vg
        for name in data wal; do lvcreate -q -V 100M --thinpool pool -n $name vg; done
        cg-lvm snapshot vg/data vg/wal --name one
        cg-lvm list vg --json | grep -o '"complete": true' | wc -l | grep -x 2
        lvs vg/data.one vg/wal.one""",
    "a profile's unit takes a group snapshot, says so in the journal and to the node exporter": """
        mkdir /root/metrics
        cat >/etc/cg-lvm/nightly.toml <<END
members = ["vg/data", "/dev/vg/wal"]
metrics-directory = "/root/metrics"
[keep]
last = 2
END
        systemctl start cg-lvm@nightly
        journalctl --sync
        journalctl --unit cg-lvm@nightly --output json CG_LVM_PROFILE=nightly \\
            MESSAGE_ID=3c1f0a6be6d84d0f9f0d4ce1b7c2a951 | grep -F '"CG_LVM_SNAPSHOT":"nightly-'
        grep -Fx 'cg_lvm_profile_snapshots{profile="nightly",state="complete"} 1' \\
            /root/metrics/cg_lvm_nightly.prom""",
    "its timer starts it again and again, and what no rule keeps is deleted": """
        mkdir /etc/systemd/system/cg-lvm@nightly.timer.d
        printf '[Timer]\\nOnCalendar=\\nOnCalendar=*:*:0/5\\nAccuracySec=1s\\n' \\
            >/etc/systemd/system/cg-lvm@nightly.timer.d/often.conf
        taken() {
            journalctl --sync
            journalctl --unit cg-lvm@nightly --output cat --quiet \\
                MESSAGE_ID=3c1f0a6be6d84d0f9f0d4ce1b7c2a951 | wc -l
        }
        systemctl daemon-reload
        systemctl enable --now cg-lvm@nightly.timer
        while [ $(taken) -lt 4 ]; do sleep 1; fails systemctl is-failed cg-lvm@nightly; done
        rm -r /etc/systemd/system/cg-lvm@nightly.timer.d
        systemctl daemon-reload
        systemctl restart cg-lvm@nightly.timer
        while systemctl is-active cg-lvm@nightly; do sleep 1; done
        cg-lvm list vg --json | grep -o '"snapshot": "nightly-[^"]*"' | sort -u | wc -l | grep -x 2
        systemctl show --property NextElapseUSecRealtime cg-lvm@nightly.timer | grep 00:00:00""",
    "after-hooks of a run that was killed are run by its unit": """
        cat >/etc/cg-lvm/hooked.toml <<END
members = ["vg/data"]
[[hooks]]
name = "slow"
user = "root"
before = ["/usr/bin/sleep", "1234"]
after = ["/usr/bin/touch", "/root/after-hook"]
time-limit = 1500
END
        systemctl start --no-block cg-lvm@hooked
        until pgrep --full --exact '/usr/bin/sleep 1234'; do sleep 1; done
        systemctl kill --signal=KILL --kill-whom=main cg-lvm@hooked
        while systemctl is-active cg-lvm@hooked | grep activating; do sleep 1; done
        systemctl is-failed cg-lvm@hooked
        test -e /root/after-hook
        fails pgrep --full --exact '/usr/bin/sleep 1234'""",
    "members roll back to a group snapshot, and that is verified": """
        echo two >/dev/vg/data
        cg-lvm rollback vg one
        fails grep --quiet --text two /dev/vg/data
        cg-lvm verify vg one""",
    "bash completes subcommands and options": """
        complete() { bash -c '. /usr/share/bash-completion/completions/$0
            COMP_WORDS=("$0" "$@") COMP_CWORD=$# COMP_LINE="$0 $*"
            $(builtin complete -p $0 | sed "s/.*-F //; s/ .*//") $0 "${@: -1}" "${@: -2:1}"
            echo ${COMPREPLY[@]}' "$@"; }
        complete cg-lvm sn | grep -x snapshot
        complete cg-lvm snapshot --cow | grep -e --cow-percent""",
    "the services install, and none is started or enabled": f"""
        {_INSTALL} ./cg-extension_*.deb
        for unit in cg-standalone cg-api cg-manager; do
            systemctl is-enabled $unit | grep -x disabled
            systemctl is-active $unit | grep -x inactive
        done
        bash -c '. /usr/share/bash-completion/completions/cg-manage; complete -p cg-manage'""",
    "configuration is for root and the service alone": """
        stat -c '%A %U %G' /etc/cg_extension | grep -x 'drwxr-x--- root cg_extension'
        visudo --check""",
    "the service's user may start our helper as root, and no other": """
        list="runuser -u cg_extension -- sudo --non-interactive --list"
        helper="$list /usr/bin/privsep-helper"
        context="--privsep_context cg_extension.drivers.lvm.privileged.context"
        $helper $context --privsep_sock_path /tmp/a/b
        fails $helper --privsep_context os.path --privsep_sock_path /tmp/a/b
        fails $helper $context --privsep_sock_path "/a --b c"
        fails $helper --privsep_sock_path /x $context
        fails $list /bin/sh""",
    "cg-standalone's unit starts and answers on loopback alone": f"""
        systemctl start cg-standalone
        python3 -c "{_GET.format("/healthcheck")}"
        python3 -c "{_GET.format("/v3/demo/consistencygroups")}" | grep consistencygroups
        ss --listening --tcp --numeric --no-header | tee /dev/stderr | grep -v 127.0.0.1: | wc -l \\
            | grep -x 0
        ps -o user:20= -p $(systemctl show --value --property MainPID cg-standalone) \\
            | grep -x 'cg_extension *'
        cg-manage --config-file /etc/cg_extension/cg_extension.conf --help""",
    "an upgrade restarts what runs, and starts nothing else": """
        before=$(systemctl show --value --property MainPID cg-standalone)
        apt-get install --yes --quiet --reinstall ./cg-extension_*.deb
        systemctl is-active cg-standalone
        fails test "$before" = $(systemctl show --value --property MainPID cg-standalone)
        for unit in cg-api cg-manager; do systemctl is-active $unit | grep -x inactive; done""",
    "the plugin for Cinder wants a release that was tried": """
        dpkg-deb --field cinder-cg-extension_*.deb Depends | grep -F 'python3-cinder (>= 2:28~)'
        dpkg --force-depends --install cinder-cg-extension_*.deb
        apt-get purge --yes --quiet cinder-cg-extension""",
    "a removal stops the service": """
        apt-get remove --yes --quiet cg-extension
        fails systemctl is-active cg-standalone
        test -e /etc/cg_extension/cg_extension.conf -a -e /var/lib/cg_extension""",
    "a removal of cg-lvm stops its timers": """
        apt-get remove --yes --quiet cg-lvm
        fails systemctl is-active cg-lvm@nightly.timer
        test -e /etc/cg-lvm/nightly.toml -a -e /root/metrics/cg_lvm_nightly.prom""",
    "a purge leaves nothing but the user": f"""
        lvremove --yes vg
        rm -r /root/metrics /etc/cg-lvm/*.toml
        apt-get purge --yes --quiet cg-extension cg-lvm python3-cg-extension
        {_FILES} | sort >/root/after
        comm -13 /root/before /root/after | tee /dev/stderr \\
            | grep -Ev '^/(etc/(passwd|group|shadow|gshadow)-|dev/.*|run/.*|sys/.*|etc/lvm/.*)$' \\
            | wc -l | grep -x 0
        find /etc /usr /var/lib /run -xdev -path /var/lib/dpkg -prune -o -path /run/systemd \\
            -prune -o -iname '*cg[-_]*ext*' -print -o -name '*cg-lvm*' -print | fails grep .
        id cg_extension""",
    "a purge keeps a state directory that has volumes": f"""
        {_INSTALL} ./cg-extension_*.deb ./python3-cg-extension_*.deb
        mkdir -p /var/lib/cg_extension/volumes
        touch /var/lib/cg_extension/volumes/volume-x
        apt-get purge --yes --quiet cg-extension
        test -e /var/lib/cg_extension/volumes/volume-x""",
}


@contextlib.contextmanager
def machine(release: str, packages: list[pathlib.Path], work: pathlib.Path) -> Iterator[qemu.Guest]:
    """A guest with what ``packages`` depend on in the archive, and they themselves as files."""
    root = work / "machine"
    tree.run("cp", "--archive", "--reflink=auto", str(tree.tree(release, "machine")), str(root))
    wanted = []
    for package in packages:
        if not package.name.startswith("cinder-"):
            field = tree.run("dpkg-deb", "--field", str(package), "Depends")
            wanted += [p for p in re.split(r",\s*", field.strip()) if p.split()[0] not in _OURS]
    tree.chroot(root, "apt-get", "--quiet", "update")
    satisfy = ("apt-get", "satisfy", "--yes", "--quiet", "--no-install-recommends")
    tree.chroot(root, *satisfy, ", ".join([*wanted, "sudo"]), DEBIAN_FRONTEND="noninteractive")
    tree.chroot(root, "apt-get", "clean")
    disk = work / "disk"
    with open(disk, "wb") as file:
        file.truncate(1 << 30)
    share = work / "packages"
    with qemu.Guest(release, [disk], shares=[share], root=root) as guest:
        yield guest


def build(release: str, directory: pathlib.Path) -> None:
    """Build the packages into a directory; all that is printed meanwhile is shown indented.

    The unit tests run then, and print what looks like our own lines.
    """
    command = [sys.executable, build_packages.__file__, "--release", release, str(directory)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        for line in process.stdout or ():
            print(f"    {line}", end="", flush=True)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def main() -> int:
    """The command line; 1 unless all held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", choices=tree.RELEASES, default="trixie")
    parser.add_argument("--packages", type=pathlib.Path, help="built already, in this directory")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="try", dir="/var/tmp") as name:
        work = pathlib.Path(name)
        share = work / "packages"
        if arguments.packages is None:
            build(arguments.release, share)
        else:
            subprocess.run(["cp", "-r", str(arguments.packages), str(share)], check=True)
        failed = 0
        with machine(arguments.release, sorted(share.glob("*.deb")), work) as guest:
            _status, system = guest.run(["sh", "-c", _PLATFORM], PATIENCE, directory=share)
            print(f"platform: {system.strip()}", flush=True)
            for shown, commands in STEPS.items():
                status, output = guest.run_script(_BEGIN + commands, PATIENCE, directory=share)
                print(f"{'ok' if status == 0 else 'FAILED':6} {shown}", flush=True)
                if status:
                    print(output, flush=True)
                    failed += 1
    print(f"{len(STEPS) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


_PLATFORM = """\
. /etc/os-release
echo "$PRETTY_NAME, systemd, $(nproc) processor(s);" \\
    "LVM $(lvm version | sed -n 's/.*LVM version: *//p' | cut -d' ' -f1);" \\
    "Linux $(uname -r); Python $(python3 -c 'import platform; print(platform.python_version())')"
"""

if __name__ == "__main__":
    sys.exit(main())
