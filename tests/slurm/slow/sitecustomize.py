"""Make every block take longer, in whatever process imports the runner: SLOW_BLOCKS seconds."""

import importlib.abc
import importlib.machinery
import os
import sys
import time

NAME = "hpcbudget.engine.runner"


class SlowRunner(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != NAME:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        run_module = spec.loader.exec_module

        def exec_module(module):
            run_module(module)
            compute = module.Runner.compute

            def slow(self, block):
                time.sleep(float(os.environ["SLOW_BLOCKS"]))
                return compute(self, block)

            module.Runner.compute = slow

        spec.loader.exec_module = exec_module
        return spec


# imported for other reasons too, such as a search for doctests
if "SLOW_BLOCKS" in os.environ:
    sys.meta_path.insert(0, SlowRunner())
