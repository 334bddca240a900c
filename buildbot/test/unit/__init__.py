# SPDX-License-Identifier: GPL-2.0-only
from buildbot_overlay import extend

extend(__name__)

# trial looks into the release's half of a package only once the package has been imported
from buildbot.test.unit import process  # noqa: E402, F401
