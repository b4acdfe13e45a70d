# SPDX-License-Identifier: Apache-2.0
"""The samples of the extension's part of the API reference, sent to real Cinder.

The samples are the reference host's: here keys, types, statuses and forms must be the same.
"""

from oslotest import base

from cg_extension.tests.api_reference import reference, story
from cg_extension.tests.cinder import shared

_DOCUMENTS = ("consistencygroups.rst", "cgsnapshots.rst")
# Cinder's own, of which the groups are made.
_BESIDES = ("volumes/create", "volumes/create-in-group")


def _told() -> list[tuple[story.Step, bool]]:
    """The steps, and whether their answers are compared.

    What fails on the reference host does not on Cinder with the fake driver.
    """
    documents = {
        sample.name: call.document for call in reference.read().calls for sample in call.exchanges
    }
    steps = []
    for step in story.STORY:
        needs_failure = "failed" in " ".join((step.exchange, *step.of.values()))
        # The second group snapshot is the failed one.
        if needs_failure or step.exchange == "cgsnapshots/list-page":
            continue
        compared = documents[step.exchange] in _DOCUMENTS
        if compared or step.exchange in _BESIDES:
            steps.append((step, compared))
    return steps


class ReferenceTest(base.BaseTestCase):
    def setUp(self) -> None:
        # Before oslotest's temporary directory, in which Cinder must not live.
        self.cinder = shared.cinder()
        super().setUp()

    def test_answers_of_the_extension_have_the_samples_form(self) -> None:
        # The samples' volume type; its extra specs there are the reference host's.
        self.cinder.admin().post("/types", {"volume_type": {"name": "fast"}})
        project = shared.new_project()
        roles = {"member": ("member", "reader"), "admin": ("admin", "member", "reader")}
        teller = story.Teller(
            self.cinder.endpoint,
            reference.PREFIX,
            project,
            lambda role: shared.token(project, *roles[role]),
            {},
            exact=False,
        )
        for step, compared in _told():
            with self.subTest(step.exchange):
                teller.tell(step, compared=compared)
