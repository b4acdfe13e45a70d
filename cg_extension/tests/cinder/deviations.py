# SPDX-License-Identifier: Apache-2.0
"""Where the contract can't be the same in Cinder as on the reference host, and why.

The contract's files are those of the reference host; what stands here changes single tests of
them before they are run against Cinder. The table in ``docs/cinder.md`` says the same in words.
"""

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True, slots=True)
class Deviation:
    """One test that must be different.

    :param reason: why Cinder can't do what the contract says.
    :param changes: keys of the test that are others.
    :param before: tests to be run first.
    """

    reason: str
    changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    before: Sequence[Mapping[str, Any]] = ()


def _available_and_a_second_later(group: str) -> list[dict[str, Any]]:
    """Tests that wait until a group is available, and for the next second of the clock.

    :param group: the name of the test that created it.
    """
    available = f"{group}: available"
    return [
        {
            "name": available,
            "GET": f"/consistencygroups/$HISTORY['{group}'].$RESPONSE['$.consistencygroup.id']",
            "poll": {"count": 1000, "delay": 0.1},
            "response_json_paths": {"$.consistencygroup.status": "available"},
        },
        {
            "name": f"{group}: a second later",
            "GET": "$LAST_URL",
            "poll": {"count": 1000, "delay": 0.1},
            "response_headers": {"date": f"/^(?!$HISTORY['{available}'].$HEADERS['date']$)/"},
        },
    ]


_WHOLE_SECONDS = (
    "Cinder's tables hold times in whole seconds, and created_at of a group is when it became"
    " available: what was made within a second is ordered by id alone"
)
_UTF8MB3 = (
    "Cinder's migrations make MariaDB's tables with its three-byte utf8, which has no characters"
    " beyond the BMP; they are refused with 400"
)
_OWN_MESSAGE = "the path is Cinder's own; it refuses, but its message names no group"

TABLE: dict[str, dict[str, Deviation]] = {
    "cgsnapshots": {
        "a snapshot of a group snapshot can't be deleted on its own": Deviation(
            _OWN_MESSAGE, {"response_json_paths": {"$.badRequest.message": "/part of a group/"}}
        ),
        "from snapshot": Deviation(_WHOLE_SECONDS, before=_available_and_a_second_later("group")),
        "from group": Deviation(
            _WHOLE_SECONDS, before=_available_and_a_second_later("from snapshot")
        ),
    },
    "groups": {
        "characters beyond the bmp come back the same": Deviation(
            _UTF8MB3,
            {
                "data": {
                    "consistencygroup": {
                        "name": "é",
                        "volume_types": "$ENVIRON['CG_VOLUME_TYPE']",
                    }
                },
                "response_json_paths": {
                    "$.consistencygroup.name": "é",
                    "$.consistencygroup.description": None,
                },
            },
            before=[
                {
                    "name": "characters beyond the bmp are refused",
                    "POST": "/consistencygroups",
                    "data": {
                        "consistencygroup": {
                            "name": "😀",
                            "volume_types": "$ENVIRON['CG_VOLUME_TYPE']",
                        }
                    },
                    "status": 400,
                    "response_json_paths": {"$.badRequest.message": "/database/"},
                }
            ],
        ),
        "the fourth is available": Deviation(
            _UTF8MB3,
            {
                "response_json_paths": {
                    "$.consistencygroup.status": "available",
                    "$.consistencygroup.name": "é",
                }
            },
        ),
    },
    "lists": {
        "second": Deviation(_WHOLE_SECONDS, before=_available_and_a_second_later("first")),
        "third": Deviation(_WHOLE_SECONDS, before=_available_and_a_second_later("second")),
    },
    "members": {
        "a member can't be deleted on its own": Deviation(
            _OWN_MESSAGE,
            {"response_json_paths": {"$.badRequest.message": "/belong to a group/"}},
        ),
    },
    "projects": {
        "a member creates another": Deviation(
            _WHOLE_SECONDS, before=_available_and_a_second_later("a member creates")
        ),
    },
    "requests": {
        "a path that leads nowhere is not found": Deviation(
            "what no path of ours is, is Cinder's to answer, and it answers in HTML",
            {"response_headers": {}, "response_json_paths": {}},
        ),
    },
}


def apply(file: str, suite: dict[str, Any]) -> dict[str, Any]:
    """The suite of ``file`` (its name without ending) as it holds in Cinder.

    :raises KeyError: the table names a test that the file does not have.
    """
    suite = copy.deepcopy(suite)
    deviations = dict(TABLE.get(file, {}))
    tests = []
    for test in suite["tests"]:
        deviation = deviations.pop(test["name"], None)
        if deviation is not None:
            tests.extend(copy.deepcopy(dict(more)) for more in deviation.before)
            test.update(deviation.changes)
        tests.append(test)
    if deviations:
        raise KeyError(f"no such test in {file}: {', '.join(deviations)}")
    return {**suite, "tests": tests}
