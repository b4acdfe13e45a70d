# SPDX-License-Identifier: Apache-2.0
"""Every sample of the API reference is sent to a real service, and its answer is as the sample.

The story is told under each of the prefixes that the reference names for paths.
"""

import uuid

from cg_extension.tests.api_reference import reference, story
from cg_extension.tests.functional import base

# The samples' place of the service's state.
_STATE = "/var/lib/cg_extension"


class ReferenceTest(base.FunctionalTest):
    def test_answers_are_as_in_the_samples_under_every_prefix(self) -> None:
        options = {
            "public_endpoint": story.ENDPOINT,
            "host": "storage1",
            # What fails in the samples is not tried again.
            "operation_max_attempts": 1,
        }
        service = self.useFixture(base.Standalone({"DEFAULT": options}))
        prefixes = reference.read().prefixes
        self.assertEqual(4, len(prefixes))
        for prefix in prefixes:
            project = uuid.uuid4().hex
            teller = story.Teller(
                service.url,
                prefix,
                project,
                lambda role, project=project: f"{story.USER}:{project}:{role}",
                {_STATE: str(service.state_path)},
            )
            for step in story.STORY:
                with self.subTest(prefix=prefix, exchange=step.exchange):
                    teller.tell(step)
