# SPDX-License-Identifier: Apache-2.0
"""Extensions that work are served; those that don't are left out, or stop the start."""

from typing import Any
from unittest import mock

import fixtures
import stevedore
import webob
from stevedore import extension as stevedore_extension

from cg_extension.api import answer, wsgi
from cg_extension.api import extensions as api_extensions
from cg_extension.reference.wsgi import extensions
from cg_extension.tests.unit.reference.wsgi import base

OURS = ["cgsnapshots", "consistencygroups", "os-cg-receipt"]


class Backups(api_extensions.ExtensionDescriptor):
    """Copies   of volumes,
    kept elsewhere."""

    name = "Backups"
    alias = "backups"
    updated = "2026-01-01T00:00:00+00:00"

    def index(self, req: Any) -> dict[str, list[str]]:
        return {"backups": []}

    def get_resources(self) -> list[api_extensions.ResourceExtension]:
        return [api_extensions.ResourceExtension(self.alias, self)]


class Ratings(Backups):
    """What others think of a volume."""

    alias = "os-ratings"
    collection = "volumes"

    def get_resources(self) -> list[api_extensions.ResourceExtension]:
        return []

    def get_controller_extensions(self) -> list[api_extensions.ControllerExtension]:
        return [api_extensions.ControllerExtension(self, self.collection, self)]

    @wsgi.extends({"os-ratings:stars": {"type": "integer"}})
    def show(self, req: webob.Request, response: answer.Answer, id: str) -> None:
        response.document["volume"]["os-ratings:stars"] = len(id)


class RatesNothing(Ratings):
    collection = "nothing"


class TakesAnAlias(Backups):
    alias = "consistencygroups"


class TakesACollection(Backups):
    alias = "other"

    def get_resources(self) -> list[api_extensions.ResourceExtension]:
        return [api_extensions.ResourceExtension("volumes", self)]


class Fails(Backups):
    def get_resources(self) -> list[api_extensions.ResourceExtension]:
        raise RuntimeError("no license")


class ExtensionsTest(base.HostTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.log = self.useFixture(fixtures.FakeLogger())

    def load_with(self, *plugins: Any) -> None:
        """Load the application with further packages installed."""
        found = stevedore.ExtensionManager(api_extensions.ENTRY_POINTS).extensions
        for plugin in plugins:
            entry_point = mock.Mock(module=plugin.__module__)
            entry_point.name = plugin.alias
            # A package whose name comes before ours.
            with mock.patch.object(
                stevedore_extension.Extension, "module_name", "aaa", create=True
            ):
                one = stevedore_extension.Extension(plugin.alias, entry_point, plugin, None)
            found.insert(0, one)
        with mock.patch.object(
            extensions.stevedore,
            "ExtensionManager",
            return_value=stevedore.ExtensionManager.make_test_instance(found),
        ):
            self.application = self.load()

    def aliases(self) -> list[str]:
        return sorted(item["alias"] for item in self.ok("GET", "/extensions")["extensions"])

    def test_an_installed_extension_is_served_and_listed(self) -> None:
        self.load_with(Backups)
        self.assertEqual({"backups": []}, self.ok("GET", "/backups"))
        shown = self.ok("GET", "/extensions/backups")["extension"]
        self.assertEqual("Copies of volumes, kept elsewhere.", shown["description"])

    def test_an_installed_extension_adds_to_the_answers_of_another_collection(self) -> None:
        self.load_with(Ratings)
        body = {"volume": {"size": 1}}
        volume = self.ok("POST", "/volumes", body, status=202)["volume"]
        self.assertNotIn("os-ratings:stars", volume)
        shown = self.ok("GET", f"/volumes/{volume['id']}")["volume"]
        self.assertEqual(36, shown["os-ratings:stars"])

    def test_one_that_extends_what_is_not_there_is_told_and_harms_nothing(self) -> None:
        self.load_with(RatesNothing)
        self.assertIn("os-ratings extends the collection nothing", self.log.output)
        self.assertEqual(sorted([*OURS, "os-ratings"]), self.aliases())

    def test_an_unknown_extension_is_not_found(self) -> None:
        self.assert_fault(self.call("GET", "/extensions/none"), 404, "itemNotFound", "none")

    def test_nobody_takes_the_place_of_another(self) -> None:
        for plugin in (TakesAnAlias, TakesACollection):
            self.load_with(plugin)
            self.assertEqual(OURS, self.aliases())
            self.assertIn(f"API extension {plugin.alias} is left out", self.log.output)
            self.assertEqual([], self.ok("GET", "/volumes")["volumes"])

    def test_one_that_fails_is_left_out(self) -> None:
        self.load_with(Fails)
        self.assertEqual(OURS, self.aliases())
        self.assertIn("no license", self.log.output)

    def test_one_that_is_required_stops_the_start(self) -> None:
        self.conf.set_override("required_extensions", ["consistencygroups", "backups"])
        error = self.assertRaises(extensions.RequiredExtensionMissing, self.load_with, Fails)
        self.assertIn("backups is required", str(error))
        self.assertIn("no license", str(error))
        error = self.assertRaises(extensions.RequiredExtensionMissing, self.load)
        self.assertIn("no installed package provides it", str(error))

    def test_one_whose_module_cant_be_imported_stops_the_start_if_required(self) -> None:
        none = stevedore.ExtensionManager.make_test_instance([])

        def find(_namespace: str, on_load_failure_callback: Any) -> Any:
            entry_point = mock.Mock()
            entry_point.name = "consistencygroups"
            on_load_failure_callback(None, entry_point, ImportError("no module x"))
            return none

        with mock.patch.object(extensions.stevedore, "ExtensionManager", find):
            error = self.assertRaises(extensions.RequiredExtensionMissing, self.load)
        self.assertIn("no module x", str(error))
