# SPDX-License-Identifier: Apache-2.0
from importlib import metadata

import fixtures
from oslotest import base

from cg_extension.cmd import config, services
from cg_extension.conf import errors, plugins
from cg_extension.reference.service import ReferenceService


class Another(ReferenceService):
    """Of another package."""


class Smaller:
    """Of another host."""

    def list_groups(self) -> None: ...


class Broken(ReferenceService):
    def __init__(self, *_arguments: object) -> None:
        raise_as_a_library_does()


def raise_as_a_library_does() -> None:
    metadata.version("no-such-package")


class ServicesTest(base.BaseTestCase):
    def make(self, name: str | None = None) -> ReferenceService:
        conf = config.new_conf()
        conf([], default_config_files=[])
        if name is not None:
            conf.set_override("group_service", name)
        return services.make(conf, None, None)  # type: ignore[arg-type]

    def install(self, name: str, what: type | None) -> None:
        """As an entry point; None: the whole of this module."""
        place = f"{__name__}:{what.__name__}" if what else __name__
        self.have(metadata.EntryPoint(name, place, plugins.SERVICES))

    def have(self, entry_point: metadata.EntryPoint) -> None:
        cache = "stevedore.extension.ExtensionManager.ENTRY_POINT_CACHE"
        self.useFixture(fixtures.MonkeyPatch(cache, {plugins.SERVICES: [entry_point]}))

    def test_ours_answers_unless_another_is_named(self) -> None:
        self.assertIs(ReferenceService, type(self.make()))

    def test_another_packages_takes_its_place(self) -> None:
        self.install("another", Another)
        self.assertIs(Another, type(self.make("another")))

    def test_one_without_all_calls_or_that_is_none_stops_the_start(self) -> None:
        self.install("smaller", Smaller)
        error = self.assertRaises(errors.StartError, self.make, "smaller")
        self.assertIn("group_service = smaller: It lacks calls", str(error))
        self.assertIn("create_volume", str(error))
        self.assertNotIn("list_groups", str(error))
        self.install("module", None)
        error = self.assertRaises(errors.StartError, self.make, "module")
        self.assertIn("group_service = module: It is nothing that makes", str(error))

    def test_one_whose_package_can_not_be_imported_stops_the_start(self) -> None:
        entry_point = metadata.EntryPoint("far", "no_such_package:Service", plugins.SERVICES)
        self.have(entry_point)
        error = self.assertRaises(errors.StartError, self.make, "far")
        self.assertIn("group_service = far: It can't be imported: No module named", str(error))

    def test_one_that_is_not_there_or_fails_stops_the_start(self) -> None:
        self.install("broken", Broken)
        for name in ("nobodys", "broken"):
            error = self.assertRaises(errors.StartError, self.make, name)
            self.assertIn(f"group_service = {name}: ", str(error))
            if name == "nobodys":
                self.assertIn("There is no nobodys; there are cinder, reference", str(error))
