# SPDX-License-Identifier: GPL-2.0-only
import warnings

from buildbot_overlay import extend

extend(__name__)

# The release turns warnings into errors. These come from libraries that are newer than it is.
for message in (
    'No path_separator found in configuration',
    'twisted.internet.ssl.ProtocolNegotiationSupport was deprecated',
):
    warnings.filterwarnings('ignore', message, DeprecationWarning)

# trial looks into the release's half of a package only once the package has been imported
from buildbot.test import integration  # noqa: E402, F401
from buildbot.test import unit  # noqa: E402, F401
