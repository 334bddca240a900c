# SPDX-License-Identifier: GPL-2.0-only
"""New: a browser that looks at a master's pages, by Chromium, its driver and selenium."""

from __future__ import annotations

import atexit
import shutil
from functools import lru_cache
from pathlib import Path
from typing import Any

from twisted.internet import defer
from twisted.internet import threads

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.keys import Keys
except ImportError:
    webdriver = None

CHROMIUM = shutil.which('chromium')
DRIVER = shutil.which('chromedriver')

if webdriver is None or CHROMIUM is None or DRIVER is None:
    missing = 'there is no selenium, chromium or chromedriver'
else:
    missing = ''

#: Seconds until what is to be seen must be seen, on a machine that does other things, too.
PATIENCE = 120

BLANK = 'about:blank'

# What follows calls back once it is true; it is asked whenever the page changes.
UNTIL = """
    const answer = arguments[arguments.length - 1];
    const until = isTrue => {
        const look = () => {
            if (isTrue()) {
                watch.disconnect();
                answer(true);
            }
        };
        const watch = new MutationObserver(look);
        const all = {subtree: true, childList: true, attributes: true, characterData: true};
        watch.observe(document, all);
        look();
    };
"""

# The page says all of the words and none of the others.
SEE = f"""{UNTIL}
    const [wanted, unwanted] = arguments;
    until(() => {{
        const text = document.body.innerText;
        const said = each => text.includes(each);
        return wanted.every(said) && !unwanted.some(said);
    }});
"""

# It is there, and was clicked, or has the focus. What is behind a dialog cannot be reached.
REACH = f"""{UNTIL}
    const [words, deed] = arguments;
    const named = each => each.innerText.trim() === words || each.ariaLabel === words;
    until(() => {{
        const seen = document.querySelector('dialog[open]') ?? document;
        const it = [...seen.querySelectorAll('a, button:enabled')].find(named);
        it?.[deed]();
        return it !== undefined;
    }});
"""

# The field of this label is there, and has the focus.
FOCUS = f"""{UNTIL}
    const [words] = arguments;
    const named = each => each.innerText.trim() === words && each.control !== null;
    until(() => {{
        const label = [...document.querySelectorAll('label')].find(named);
        label?.control.focus();
        label?.control.select();
        return label !== undefined;
    }});
"""

CLOSED = f"""{UNTIL}
    until(() => document.querySelector('dialog') === null);
"""

LOG_IN = """
    const [name, password, answer] = arguments;
    const headers = {Authorization: 'Basic ' + btoa(`${name}:${password}`)};
    fetch('auth/login', {headers, redirect: 'manual'}).then(() => answer(true));
"""

AXE = """
    const answer = arguments[0];
    axe.run('.bb-locks').then(found => answer(
        found.violations
            .filter(({impact}) => impact === 'serious' || impact === 'critical')
            .map(({id, nodes}) => `${id}: ${nodes[0].html}`)));
"""


@lru_cache(maxsize=1)
def known_driver() -> Any:
    """Return the driver of the Chromium that all tests have one after another, until they end."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for word in ('--headless=new', '--no-sandbox', '--disable-dev-shm-usage'):
        options.add_argument(word)
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    atexit.register(driver.quit)
    driver.set_script_timeout(PATIENCE)
    return driver


class Browser:
    """The window, of somebody new. What it is asked is done in a thread; answers are Deferreds.

    Each master has another port, so that its pages know nothing that was kept for those of another
    one, but the cookies.

    :param address: of the master, with a slash at the end.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._driver: Any = None

    def open(self) -> defer.Deferred[None]:
        return threads.deferToThread(self._open)

    def appear(self, **words: Any) -> defer.Deferred[None]:
        """Leave the page, and show the next ones otherwise.

        :param width: of the window, in pixels; 1280 without it.
        :param dark: whether it asks for dark colours.
        """
        return threads.deferToThread(self._appear, **words)

    def close(self) -> defer.Deferred[None]:
        return threads.deferToThread(self._close)

    def visit(self, route: str) -> defer.Deferred[None]:
        return threads.deferToThread(self._driver.get, f'{self.address}#{route}')

    def see(self, *wanted: str, without: tuple[str, ...] = ()) -> defer.Deferred[None]:
        """Fire as soon as the page says all of these words, and none of those without."""
        return threads.deferToThread(self._see, wanted, without)

    def click(self, words: str) -> defer.Deferred[None]:
        """Click the link or button of these words as soon as there is one."""
        return self.ask(REACH, words, 'click')

    def focus(self, words: str) -> defer.Deferred[None]:
        """Give the focus to the link or button of these words as soon as there is one."""
        return self.ask(REACH, words, 'focus')

    def closed(self) -> defer.Deferred[None]:
        """Fire as soon as no dialog is there: a key that comes before is the old one's."""
        return self.ask(CLOSED)

    def log_in(self, name: str, password: str) -> defer.Deferred[None]:
        """Be somebody, on all pages that are visited from now on."""
        return threads.deferToThread(self._log_in, name, password)

    def write(self, label: str, text: str) -> defer.Deferred[None]:
        """Type into the field of this label, over what is in it."""
        return threads.deferToThread(self._write, label, text)

    def press(self, *keys: str) -> defer.Deferred[None]:
        """Press keys, one after another: a text, or a name of selenium's as ``TAB``."""
        return threads.deferToThread(self._press, keys)

    def run(self, script: str, *arguments: Any) -> defer.Deferred[Any]:
        return threads.deferToThread(self._driver.execute_script, script, *arguments)

    def ask(self, script: str, *arguments: Any) -> defer.Deferred[Any]:
        """Run a script, and wait for what it calls its last argument with."""
        return threads.deferToThread(self._driver.execute_async_script, script, *arguments)

    def picture(self, path: Path) -> defer.Deferred[bool]:
        return threads.deferToThread(self._driver.save_screenshot, str(path))

    def faults(self, axe: str) -> defer.Deferred[list[str]]:
        """Return what is seriously wrong for those who do not see the page or use no mouse.

        :param axe: the text of axe-core.
        """
        return threads.deferToThread(self._faults, axe)

    def _open(self) -> None:
        self._driver = known_driver()
        self._command('Network.clearBrowserCookies')
        self._appear()

    def _close(self) -> None:
        try:
            self._driver.get(BLANK)
        except Exception:  # the next test has another one
            known_driver.cache_clear()
            self._driver.quit()
            raise

    def _appear(self, width: int = 1280, dark: bool = False) -> None:
        self._driver.get(BLANK)
        metrics = {'width': width, 'height': 900, 'deviceScaleFactor': 1, 'mobile': False}
        self._command('Emulation.setDeviceMetricsOverride', **metrics)
        colours = {'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}
        self._command('Emulation.setEmulatedMedia', features=[colours])

    def _command(self, name: str, **words: Any) -> None:
        self._driver.execute_cdp_cmd(name, words)

    def _see(self, wanted: tuple[str, ...], without: tuple[str, ...]) -> None:
        try:
            self._driver.execute_async_script(SEE, wanted, without)
        except Exception as e:
            text = self._driver.execute_script('return document.body.innerText')
            raise AssertionError(f'not {wanted} without {without}, but: {text}') from e

    def _log_in(self, name: str, password: str) -> None:
        self._driver.get(self.address)
        self._driver.execute_async_script(LOG_IN, name, password)
        self._driver.get(BLANK)  # else the page that is there stays, with who it knows

    def _write(self, label: str, text: str) -> None:
        self._driver.execute_async_script(FOCUS, label)
        self._driver.switch_to.active_element.send_keys(text)

    def _press(self, keys: tuple[str, ...]) -> None:
        for key in keys:
            webdriver.ActionChains(self._driver).send_keys(getattr(Keys, key, key)).perform()

    def _faults(self, axe: str) -> list[str]:
        self._driver.execute_script(axe)
        return self._driver.execute_async_script(AXE)
