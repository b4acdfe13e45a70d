# SPDX-License-Identifier: Apache-2.0
"""What the plugin's calls make of rows that other calls of Cinder's have changed."""

from cg_extension.contract import exceptions, records
from cg_extension.tests.cinder import rows


class MarkerTest(rows.RowsCase):
    def test_what_the_list_does_not_show_is_no_marker(self) -> None:
        other = self.new_group(group_type_id=self.new_group_type("other"))
        snapshot, _members = self.new_group_snapshot(other, self.new_volume(other))
        snapshot.group_type_id = other.group_type_id
        snapshot.save()
        for get_page, marker in (
            (self.service.list_groups, other.id),
            (self.service.list_cgsnapshots, snapshot.id),
        ):
            query = records.ListQuery(limit=1, marker=marker)
            with self.assertRaisesRegex(exceptions.InvalidInput, "not in this list"):
                get_page(self.caller(), query)
