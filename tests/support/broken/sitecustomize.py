"""Change the source of one module as it is loaded, in this process and in its children.

Python loads this file at its start where its folder is on PYTHONPATH.  BROKEN_KERNEL is the JSON of
``[module, right, wrong]``: text that stands in the module's source once, and what replaces it.
No file is changed.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


class _Broken(MetaPathFinder, Loader):
    def __init__(self, module: str, right: str, wrong: str) -> None:
        self._module, self._right, self._wrong = module, right, wrong
        self._source = ""

    def find_spec(
        self, name: str, path: object = None, _target: object = None
    ) -> ModuleSpec | None:
        if name != self._module:
            return None
        spec = PathFinder.find_spec(name, path)
        self._source = spec.loader.get_source(name)
        spec.loader = self
        return spec

    def exec_module(self, module: ModuleType) -> None:
        if self._source.count(self._right) != 1:
            sys.exit(f"{self._right!r} does not stand in {self._module} once")
        broken = self._source.replace(self._right, self._wrong)
        exec(compile(broken, module.__spec__.origin, "exec"), module.__dict__)


if "BROKEN_KERNEL" in os.environ:
    sys.meta_path.insert(0, _Broken(*json.loads(os.environ["BROKEN_KERNEL"])))
