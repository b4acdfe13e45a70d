# SPDX-License-Identifier: Apache-2.0
import pathlib
from typing import Any

import fixtures
from oslo_config import cfg
from oslotest import base

from cg_extension.conf import lvm as lvm_options
from cg_extension.drivers.lvm import model, settings


def _options(**values: Any) -> Any:
    conf = cfg.ConfigOpts()
    conf.register_opts(lvm_options.OPTS)
    conf([], default_config_files=[])
    for name, value in values.items():
        conf.set_override(name, value)
    return conf


class SettingsTest(base.BaseTestCase):
    def test_without_options_they_are_the_engines_own(self) -> None:
        expected = model.Settings(volume_group="cinder-volumes", pool="p")
        self.assertEqual(expected, settings.from_options(_options(), pool="p"))

    def test_every_option_arrives(self) -> None:
        options = _options(
            volume_group="vg",
            lvm_freeze_deadline=1.5,
            lvm_pool_data_limit=80.0,
            lvm_pool_metadata_limit=70.0,
            lvm_copy_workers=7,
            volume_clear_size=5,
        )
        expected = model.Settings(
            volume_group="vg",
            freeze_deadline=1.5,
            data_limit=80.0,
            metadata_limit=70.0,
            copy_workers=7,
            clear_size=5,
            cow_percent=50,
            own_paths=("/state",),
        )
        found = settings.from_options(options, pool=None, cow_percent=50, own_paths=("/state",))
        self.assertEqual(expected, found)

    def test_what_is_not_cleared_has_no_size_to_clear(self) -> None:
        options = _options(volume_clear="none", volume_clear_size=5)
        self.assertIsNone(settings.from_options(options, pool=None).clear_size)

    def test_words_are_quoted_as_for_a_shell(self) -> None:
        options = _options(volume_clear_ionice="-c 2 '-n 7'")
        found = settings.from_options(options, pool=None)
        self.assertEqual(("-c", "2", "-n 7"), found.clear_ionice)

    def test_lvms_own_configuration_is_used_unless_the_file_is_there(self) -> None:
        directory = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        options = _options(lvm_conf_file=str(directory / "lvm.conf"))
        self.assertIsNone(settings.system_dir(options))
        (directory / "lvm.conf").touch()
        self.assertEqual(str(directory), settings.system_dir(options))
