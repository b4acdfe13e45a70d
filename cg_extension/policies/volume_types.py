# SPDX-License-Identifier: Apache-2.0
"""Rules of the volume types and their extra specs, under the names that Cinder has for them."""

from oslo_policy import policy

from cg_extension.policies import base

CREATE = "volume_extension:type_create"
GET = "volume_extension:type_get"
GET_ALL = "volume_extension:type_get_all"
UPDATE = "volume_extension:type_update"
DELETE = "volume_extension:type_delete"
GET_EXTRA_SPECS = "volume_extension:types_extra_specs:index"
SET_EXTRA_SPECS = "volume_extension:types_extra_specs:create"
DELETE_EXTRA_SPECS = "volume_extension:types_extra_specs:delete"

RULES: list[policy.RuleDefault] = [
    base.rule(CREATE, base.ADMIN, "Create a volume type.", "POST /types"),
    base.rule(GET, base.PROJECT_READER, "Show a volume type.", "GET /types/{id}"),
    base.rule(GET_ALL, base.PROJECT_READER, "List volume types.", "GET /types"),
    base.rule(UPDATE, base.ADMIN, "Change a volume type.", "PUT /types/{id}"),
    base.rule(DELETE, base.ADMIN, "Delete a volume type.", "DELETE /types/{id}"),
    base.rule(
        GET_EXTRA_SPECS,
        base.ADMIN,
        "See a type's extra specs, by these calls and in the type itself.",
        "GET /types/{id}/extra_specs",
        "GET /types/{id}/extra_specs/{key}",
        "GET /types",
        "GET /types/{id}",
    ),
    base.rule(
        SET_EXTRA_SPECS,
        base.ADMIN,
        "Add or change a type's extra specs.",
        "POST /types/{id}/extra_specs",
        "PUT /types/{id}/extra_specs/{key}",
    ),
    base.rule(
        DELETE_EXTRA_SPECS,
        base.ADMIN,
        "Remove an extra spec from a type.",
        "DELETE /types/{id}/extra_specs/{key}",
    ),
]
