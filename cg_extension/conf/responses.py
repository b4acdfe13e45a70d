# SPDX-License-Identifier: Apache-2.0
"""Checks of our own answers, as Cinder's and Nova's specifications of OpenAPI have them."""

from oslo_config import cfg

GROUP = "api"

OPTS = [
    cfg.StrOpt(
        "response_validation",
        default="ignore",
        choices=[
            ("ignore", "answers go out as they are"),
            (
                "warn",
                "an answer that is not as the API is documented goes out, and the log has a "
                "warning with the call and the place of the mismatch, which we would like to see",
            ),
            (
                "error",
                "such an answer is replaced by one with code 500, although what was asked for has "
                "been done: for tests, not for production",
            ),
        ],
        help="Whether answers are held against the schemas of the API before they are sent, which "
        "takes some 4 microseconds of processor time for each resource in a list.",
    ),
]
