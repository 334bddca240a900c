# SPDX-License-Identifier: GPL-2.0-only
import re
from pathlib import Path

project = 'Interlock'
copyright = 'the Interlock maintainers'
source = (Path(__file__).parent.parent / 'buildbot_overlay' / '__init__.py').read_text()
version = release = re.search(r"^__version__ = '(.+)'", source, re.MULTILINE).group(1)
extensions = ['sphinx.ext.autodoc']
exclude_patterns = ['_build']
html_theme = 'alabaster'
# lines of examples have up to 100 characters
html_theme_options = {
    'page_width': '1180px',
    'body_max_width': '920px',
    'sidebar_width': '240px',
    'code_font_size': '0.8em',
}
nitpicky = False
