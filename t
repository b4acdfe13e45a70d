cd /src
export HOME=/root LC_ALL=C.UTF-8 PYTHONWARNINGS=ignore CG_TEST_WARM=1 OS_TEST_TIMEOUT=600 OS_LOG_CAPTURE=1 OS_STDOUT_CAPTURE=1 OS_STDERR_CAPTURE=1
printf 'Metadata-Version: 2.1\nName: cg_extension\nVersion: 0\n' > /dev/null
SETUPTOOLS_SCM_PRETEND_VERSION=0.1 python3 -c 'import setuptools; setuptools.setup()' egg_info >/dev/null 2>&1
rm -rf /run/st; mkdir /run/st
python3 -m stestr --repo-url /run/st init
python3 -m stestr --repo-url /run/st --test-path cg_extension/tests/unit run
