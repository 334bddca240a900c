# SPDX-License-Identifier: GPL-2.0-only
"""Puts a sparse package tree in front of the Buildbot that it changes, the *release*.

The calls, in the order in which they happen:

``activate``      at interpreter start, from a ``.pth`` or ``.start`` file: adds to ``sys.path``;
``extend``        in every ``__init__`` of the tree: what it lacks is looked up in the release;
``extend_below``  in the ``__init__`` of the tests: extends all packages below it at once;
``release``       in every module that replaces one of the release's: gives its names, to build on.

Every interpreter of the environment runs ``activate``, so this module imports only what an
interpreter has already loaded by then; callers import what costs more.
"""

import os
import sys

TYPE_CHECKING = False  # type checkers know the name; importing typing would cost everyone
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import SimpleNamespace

__version__ = '4.3.0.1'

DISTRIBUTION = 'buildbot-interlock'
PACKAGE = 'buildbot'
SUPPORTED = ('4.3', '4.4')  # from the first, up to but excluding the second
SWITCH = 'BUILDBOT_INTERLOCK'

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.join(HERE, 'tree')


class UnsupportedRelease(ImportError):
    """The overlay and the Buildbot under it do not fit; the text says what to do."""


class Sentence:
    """An ``excepthook`` that prints only the sentence of a refusal. Other errors are not its own.

    The frames above the refusal are those of imports, and say nothing.

    :param otherwise: what prints all other errors.
    """

    def __init__(self, otherwise: 'Callable[..., object]') -> None:
        self.otherwise = otherwise

    def __call__(self, kind: type, error: object, traceback: object) -> None:
        if issubclass(kind, UnsupportedRelease):
            print(error, file=sys.stderr)
        else:
            self.otherwise(kind, error, traceback)


def refusal(why: str) -> BaseException:
    """Make the error that ends an import of the package.

    :returns: an ``ImportError``, which callers can catch; in a ``.tac`` file an end of the program,
        because twistd would print frames of its own.
    """
    if not isinstance(sys.excepthook, Sentence):
        sys.excepthook = Sentence(sys.excepthook)
    return SystemExit(why) if is_in_tac() else UnsupportedRelease(why)


def is_in_tac() -> bool:
    frame = sys._getframe()
    while frame is not None and not frame.f_code.co_filename.endswith('.tac'):
        frame = frame.f_back  # type: ignore[assignment]
    return frame is not None


class Refusal:
    """An import finder that turns every import of the package into one clear error.

    It lets the interpreter start, whatever is wrong, and never lets half an overlay run.

    :param why: the sentence of the error.
    """

    def __init__(self, why: str) -> None:
        self.why = why

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == PACKAGE:
            raise refusal(self.why)


def way_out() -> str:
    low, high = SUPPORTED
    return (
        f"install the release it was made for (pip install '{PACKAGE}>={low},<{high}'),"
        f' or set {SWITCH}=off to run the release you have as it is'
    )


def half_installed(what: str) -> str:
    return (
        f'{DISTRIBUTION} {__version__} is half installed: {what}; install it again, or set'
        f' {SWITCH}=off'
    )


def activate() -> None:
    """Put the tree in front of everything on ``sys.path``, unless the switch says off.

    A second call changes nothing. It never raises: the first ``import`` of the package reports what
    is wrong.
    """
    switch = os.environ.get(SWITCH) or 'on'
    if switch == 'off' or TREE in sys.path:
        return
    if switch != 'on':
        refuse(f'{SWITCH}={switch!r} is neither on nor off; unset it, or set it to one of these')
    elif not os.path.isfile(os.path.join(TREE, PACKAGE, '__init__.py')):
        refuse(half_installed(f'there is no {PACKAGE} in {TREE}'))
    else:
        sys.path.insert(0, TREE)


def refuse(why: str) -> None:
    if not any(isinstance(finder, Refusal) for finder in sys.meta_path):
        sys.meta_path.insert(0, Refusal(why))


def extend(name: str) -> None:
    """Make the tree's package also contain everything in the release's package of this name.

    :param name: ``__name__`` of the package.
    :raises UnsupportedRelease: for the outermost package: no release is found, its version is
        outside ``SUPPORTED``, or one of its seams is gone or changed.
    """
    package = sys.modules[name]
    parent, _, leaf = name.rpartition('.')
    if parent:
        outer = sys.modules[parent].__path__
        package.__path__.extend(os.path.join(path, leaf) for path in list(outer)[1:])
    else:
        package.__path__.append(find_release(package.__path__[0]))
    if os.path.isfile(os.path.join(package.__path__[-1], '__init__.py')):
        package.upstream = release(name)  # type: ignore[attr-defined]
    if not parent:
        from buildbot_overlay import fit

        fit.check(package)


def extend_below(name: str) -> None:
    """Import the packages of the tree below one, so that each of them is extended.

    This is for programs such as trial that list modules without importing packages: for them, a
    package that has not been imported is only the tree's directory.

    :param name: of a package that has been extended.
    """
    from importlib import import_module

    ours = sys.modules[name].__path__[0]
    for leaf in sorted(os.listdir(ours)):
        if os.path.isfile(os.path.join(ours, leaf, '__init__.py')):
            import_module(f'{name}.{leaf}')
            extend_below(f'{name}.{leaf}')


def find_release(ours: str) -> str:
    """Find the release's directory after the overlay's.

    :param ours: directory of the overlay's package.
    :returns: the directory of the first package with the same name that is not an overlay.
    :raises UnsupportedRelease: there is none.
    """
    from importlib.machinery import PathFinder

    finders = [f for f in sys.meta_path if f is not PathFinder and hasattr(f, 'find_spec')]
    found = [PathFinder.find_spec(PACKAGE, [entry]) for entry in sys.path]
    found += [finder.find_spec(PACKAGE, None) for finder in finders]
    for spec in found:
        if spec is None or not spec.origin:
            continue
        directory = os.path.dirname(os.path.abspath(spec.origin))
        if directory != ours and not is_overlay(directory):
            return directory
    raise refusal(
        f'{DISTRIBUTION} {__version__} lies over the {PACKAGE} release, and there is none here;'
        f" pip install '{PACKAGE}>={SUPPORTED[0]},<{SUPPORTED[1]}'"
    )


def is_overlay(directory: str) -> bool:
    # only an overlay lists the names of a release that it depends on
    return os.path.isfile(os.path.join(directory, 'seams.txt'))


def release(name: str) -> 'SimpleNamespace':
    """Run the release's module in the namespace of the module that replaces it.

    Then there is only one module object with this name: functions of the release see the names of
    the overlay, and patching a name of the module patches it for both. From here on ``__file__`` is
    the release's, because its functions look for their data files beside it; ``__spec__.origin`` is
    the overlay's.

    :param name: ``__name__`` of the module.
    :returns: the names that the release's module has bound.
    :raises UnsupportedRelease: the overlay's module has already bound one of them to something
        else.
    """
    from importlib.machinery import SourceFileLoader
    from types import SimpleNamespace

    module = sys.modules[name]
    if hasattr(module, '__path__'):
        filename = os.path.join(module.__path__[-1], '__init__.py')
    else:
        parent, _, leaf = name.rpartition('.')
        filename = os.path.join(sys.modules[parent].__path__[-1], leaf + '.py')
    known = dict(module.__dict__)
    doc, module.__file__ = module.__doc__, filename
    code = SourceFileLoader(name, filename).get_code(name)
    assert code is not None  # a readable source file has code
    exec(code, module.__dict__)
    module.__doc__ = doc
    for key, value in known.items():
        if not key.startswith('__') and module.__dict__[key] is not value:
            raise refusal(
                f'{DISTRIBUTION} {__version__} and {PACKAGE} mean different things by {name}.{key};'
                f' {way_out()}'
            )
    return SimpleNamespace(**{k: v for k, v in module.__dict__.items() if k not in known})
