# SPDX-License-Identifier: Apache-2.0
"""What all lists have in common, over HTTP."""

from cg_extension.api import cgsnapshots, consistencygroups
from cg_extension.reference.wsgi.controllers import snapshots, volume_types, volumes
from cg_extension.tests.unit.reference.wsgi import base

_LISTINGS = {
    "/cgsnapshots": cgsnapshots.LISTING,
    "/consistencygroups": consistencygroups.LISTING,
    "/snapshots": snapshots.LISTING,
    "/types": volume_types.LISTING,
    "/volumes": volumes.LISTING,
}


class ListingsTest(base.HostTestCase):
    def test_each_can_be_sorted_by_all_keys_that_it_takes(self) -> None:
        for path, listing in _LISTINGS.items():
            for key in listing.sort_keys:
                with self.subTest(path=path, key=key):
                    self.ok("GET", f"{path}?sort_key={key}")
                    self.ok("GET", f"{path}?sort={key}:asc")

    def test_names_are_sorted_by_under_the_word_of_cinders_client_too(self) -> None:
        for path, collection in (("/volumes", "volumes"), ("/snapshots", "snapshots")):
            for name in ("b", "c", "a"):
                volume = self.volume(name=name)
                if path == "/snapshots":
                    self.snapshot(volume, name=name)
            for query in ("sort_key=display_name&sort_dir=asc", "sort=display_name:asc"):
                names = [each["name"] for each in self.ok("GET", f"{path}?{query}")[collection]]
                self.assertEqual(sorted(names), names)
                self.assertEqual({"a", "b", "c"}, set(names))
