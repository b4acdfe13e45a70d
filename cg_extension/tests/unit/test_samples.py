# SPDX-License-Identifier: Apache-2.0
"""The sample files in ``etc`` have what the code has; else run ``tools/generate_samples.sh``.

Only what is ours is compared: options of libraries change with their versions.
"""

import io
import pathlib
import re

from oslo_config import cfg, generator
from oslo_policy import generator as policy_generator
from oslotest import base

import cg_extension
from cg_extension.cmd import config

ETC = pathlib.Path(cg_extension.__file__).parents[1] / "etc" / "cg_extension"


def _blocks(sample: str) -> dict[str, list[str]]:
    """Section → what each of its parts ``From cg_extension`` holds."""
    found = {}
    for section in re.split(r"^(?=\[)", sample, flags=re.MULTILINE)[1:]:
        name, *parts = re.split(r"^#\n# From ", section, flags=re.MULTILINE)
        ours = [part for part in parts if part.startswith("cg_extension\n")]
        if ours:
            found[name.split("]")[0]] = [part.strip() for part in ours]
    return found


class SamplesTest(base.BaseTestCase):
    def test_the_configuration_sample_is_up_to_date(self) -> None:
        conf = cfg.ConfigOpts()
        generator.register_cli_opts(conf)
        conf(["--namespace", "cg_extension", "--wrap-width", "99"], default_config_files=[])
        fresh = io.StringIO()
        generator.generate(conf, fresh)
        kept = (ETC / "cg_extension.conf.sample").read_text()
        self.assertEqual(_blocks(fresh.getvalue()), _blocks(kept))

    def test_the_sample_has_the_size_of_a_pool_that_holds_here(self) -> None:
        kept = (ETC / "cg_extension.conf.sample").read_text()
        self.assertIn(f"\n#max_pool_size = {config.new_conf().database.max_pool_size}\n", kept)

    def test_the_page_of_all_options_has_those_of_the_sample(self) -> None:
        kept = re.findall("^namespace = (.*)$", (ETC / "config-generator.conf").read_text(), re.M)
        page = (ETC.parents[1] / "docs" / "options.rst").read_text()
        self.assertEqual(kept, re.findall(r"^   ([a-z_.]+)$", page, re.M))

    def test_the_policy_sample_is_up_to_date(self) -> None:
        fresh = pathlib.Path(self.create_tempfiles([("policy.yaml", "")])[0])
        policy_generator._generate_sample(["cg_extension"], str(fresh))
        self.assertEqual(fresh.read_text(), (ETC / "policy.yaml.sample").read_text())
