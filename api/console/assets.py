"""Copies the front-end files that the console serves out of `node_modules`.

Run `npm ci --ignore-scripts`, then `python -m api.console.assets`. Nothing is fetched at run time:
pages load these copies only.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

import click

from core.errors import NotFound

STATIC = Path(__file__).parent / "static"
VENDOR = STATIC / "vendor"

FILES: Mapping[str, str] = {
    "d3-array.min.js": "d3-array/dist/d3-array.min.js",
    "d3-geo.min.js": "d3-geo/dist/d3-geo.min.js",
    "topojson-client.min.js": "topojson-client/dist/topojson-client.min.js",
    "countries-110m.json": "world-atlas/countries-110m.json",
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "echarts.common.min.js": "echarts/dist/echarts.common.min.js",
    "swagger-ui/swagger-ui-bundle.js": "swagger-ui-dist/swagger-ui-bundle.js",
    "swagger-ui/swagger-ui.css": "swagger-ui-dist/swagger-ui.css",
    "licenses/d3-array.txt": "d3-array/LICENSE",
    "licenses/d3-geo.txt": "d3-geo/LICENSE",
    "licenses/topojson-client.txt": "topojson-client/LICENSE",
    "licenses/world-atlas.txt": "world-atlas/LICENSE",
    "licenses/htmx.txt": "htmx.org/LICENSE",
    "licenses/echarts.txt": "echarts/LICENSE",
    "licenses/echarts-notice.txt": "echarts/NOTICE",
    "licenses/zrender.txt": "zrender/LICENSE",
    "licenses/swagger-ui.txt": "swagger-ui-dist/LICENSE",
    "licenses/swagger-ui-notice.txt": "swagger-ui-dist/NOTICE",
}
"""Path under `static/vendor` -> path under `node_modules`; licenses travel with the code."""


def copy_assets(modules: Path, vendor: Path = VENDOR) -> list[Path]:
    """Returns the files written, one for each entry of `FILES`; raises `NotFound` for a source."""
    return [_copy(modules / source, vendor / target) for target, source in FILES.items()]


def missing_assets(vendor: Path = VENDOR) -> list[str]:
    """Returns the names of vendor files that are not there; empty when the console is complete."""
    return [target for target in FILES if not (vendor / target).is_file()]


def _copy(source: Path, target: Path) -> Path:
    if not source.is_file():
        raise NotFound("front-end file", str(source))
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    return target


@click.command()
@click.option(
    "--modules", type=click.Path(path_type=Path), default=Path("node_modules"), show_default=True
)
def main(modules: Path) -> None:
    """Copies the front-end files of the console."""
    try:
        written = copy_assets(modules)
    except NotFound as error:
        raise click.ClickException(f"{error} Run `npm ci --ignore-scripts` first.") from error
    size = sum(path.stat().st_size for path in written)
    click.echo(f"{len(written)} files, {size / 1e6:.1f} MB, in {VENDOR}", err=True)


if __name__ == "__main__":
    main()
