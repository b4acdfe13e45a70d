#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the terminal sessions of pages in guests, and writes into the pages what was answered.

``record_sessions.py PAGE…``: each page in a guest of its own, in User-Mode Linux on Debian's
trixie. In a page's blocks ```` ```console ````, in their order, one shell of root's runs what
follows ``# ``; the lines up to the next one are replaced by what it printed. A comment
``<!-- guest: … -->`` holds commands that run there unseen, and must succeed. The line that begins
with ``Recorded on`` says where and when. Read what it has written: nothing here knows what the
answers should be.
"""

import argparse
import dataclasses
import datetime
import pathlib
import re
import secrets
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from guest import tree, uml

_BLOCK = re.compile(r"^```console\n(.*?)^```$|^<!-- guest:\n(.*?)^-->$", re.DOTALL | re.MULTILINE)
_RECORDED = re.compile(r"^Recorded on .*$", re.MULTILINE)
_PROMPT = "# "
_PLATFORM = "from cg_extension.tests.lvm import run; print(run.platform_line())"
# A host with a name, for sudo, and a terminal of some width.
_START = "hostname guest\necho 127.0.0.1 guest >>/etc/hosts\nexport COLUMNS=100 PAGER=cat\n"


@dataclasses.dataclass
class Step:
    """A command, or several that are hidden, and what it answered."""

    command: str
    hidden: bool
    answer: str = ""


def steps_of(block: re.Match[str]) -> list[Step]:
    """The commands of one block or comment."""
    visible, hidden = block.groups()
    if hidden is not None:
        return [Step(f"set -e\n{hidden.strip()}\nset +e", hidden=True)]
    found: list[Step] = []
    for line in visible.splitlines():
        if line.startswith(_PROMPT):
            found.append(Step(line.removeprefix(_PROMPT), hidden=False))
        elif found and found[-1].command.endswith("\\"):
            found[-1].command += f"\n{line}"
        elif not found:
            raise SystemExit(f"a session begins with {_PROMPT!r}, not with {line!r}")
    return found


def run(steps: list[Step], timeout: float) -> str:
    """Run them in one guest, and keep the answers; gives back the platform's line."""
    mark = f"--{secrets.token_hex(8)}--"
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        output, script = directory / "output", directory / "session"
        lines = [f"exec >{output} 2>&1 </dev/null\n{_START}"]
        for command in (f"{tree.PYTHON} -c '{_PLATFORM}'", *(step.command for step in steps)):
            lines.append(f"{command}\nprintf '\\n%s\\n' '{mark}'\n")
        script.write_text("".join(lines))
        uml.boot(
            ["bash", str(script)],
            timeout=timeout,
            release="trixie",
            shares=[directory],
            layer="tasks",
        )
        answers = output.read_text().split(f"\n{mark}\n")
    if len(answers) != len(steps) + 2:
        raise SystemExit(f"the session ended early, after: {answers[-1]}")
    for step, answer in zip(steps, answers[1:], strict=False):
        step.answer = "\n".join(line.rstrip() for line in answer.rstrip().splitlines())
    return answers[0].strip().removeprefix("platform: ")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--timeout", type=float, default=1200, metavar="SECONDS")
    parser.add_argument("pages", nargs="+", type=pathlib.Path, metavar="PAGE")
    arguments = parser.parse_args()
    for page in arguments.pages:
        text = page.read_text()
        blocks = {block.start(): steps_of(block) for block in _BLOCK.finditer(text)}
        steps = [step for found in blocks.values() for step in found]
        page.write_text(_written(text, blocks, run(steps, arguments.timeout)))
    return 0


def _written(text: str, blocks: dict[int, list[Step]], platform: str) -> str:
    def block(match: re.Match[str]) -> str:
        if match.group(1) is None:
            return match.group()
        lines = []
        for step in blocks[match.start()]:
            lines += [f"{_PROMPT}{step.command}", *([step.answer] if step.answer else [])]
        return "\n".join(["```console", *lines, "```"])

    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
    recorded = f"Recorded on {date}, in User-Mode Linux: {platform}."
    return _RECORDED.sub(lambda _: recorded, _BLOCK.sub(block, text))


if __name__ == "__main__":
    sys.exit(main())
