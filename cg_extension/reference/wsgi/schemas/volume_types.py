# SPDX-License-Identifier: Apache-2.0
"""Bodies of the requests about volume types."""

from cg_extension.api.schemas import parameters
from cg_extension.reference.wsgi import schemas

NAME = {**parameters.NAME, "minLength": 1}
_TYPE = {
    "name": NAME,
    "description": parameters.DESCRIPTION,
    # Cinder takes the longer key when a type is created and the shorter one when it is changed.
    "os-volume-type-access:is_public": parameters.BOOLEAN,
    "is_public": parameters.BOOLEAN,
}

CREATE = schemas.envelope(
    "volume_type", schemas.arguments({**_TYPE, "extra_specs": schemas.PAIRS}, ("name",))
)
UPDATE = schemas.envelope("volume_type", schemas.arguments(_TYPE))

EXTRA_SPECS = schemas.envelope("extra_specs", {**schemas.PAIRS, "minProperties": 1})
EXTRA_SPEC = {**schemas.PAIRS, "minProperties": 1, "maxProperties": 1}
