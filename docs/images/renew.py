"""Takes the pictures of the documents anew, from real runs: `make screenshots`; needs chromium."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
QUICK = ["--launcher", "memory", "--quiet", "--no-fsync"]
CLIMBING = [
    "train",
    "climbing",
    "--mode",
    "exact",
    "--rounds",
    "300",
    "--learning-rate",
    "0.5",
    "--save-policy",
]


def bnpg(folder: Path, *words: str) -> None:
    """Run a command in a folder."""
    subprocess.run([sys.executable, "-P", "-m", "bnpg", *words], cwd=folder, check=True, stdout=sys.stderr)


def take(page: Page, name: str, *sections: str) -> None:
    """Save some sections of a page, one below the other, as a picture of the documents."""
    page.wait_for_function("() => [...document.querySelectorAll('.drawing')].every(one => one.firstChild)")
    boxes = [box for one in sections if (box := page.locator(one).bounding_box()) is not None]
    left, top = min(box["x"] for box in boxes), min(box["y"] for box in boxes)
    right = max(box["x"] + box["width"] for box in boxes)
    bottom = max(box["y"] + box["height"] for box in boxes)
    clip = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    page.screenshot(path=HERE / name, full_page=True, clip=clip)
    print(HERE / name)


def main() -> None:
    """Train, draw and look."""
    with tempfile.TemporaryDirectory(prefix="bnpg-pictures-") as made:
        folder = Path(made)
        (folder / "examples").symlink_to(ROOT / "examples")
        for dag, name in (("empty", "climbing-no-edge.png"), ("0-1", "climbing-edge.png")):
            bnpg(folder, *CLIMBING, "--dag", dag, *QUICK, "--out", f"runs/{dag}")
            shutil.copyfile(folder / "runs" / dag / "curves.png", HERE / name)
        bnpg(folder, "train", "examples/coordination.toml", *QUICK, "--out", "runs/make-run")
        shutil.copyfile(folder / "runs/make-run/curves.png", HERE / "make-run.png")
        bnpg(folder, "report", "runs/make-run", "--out", "report.html")
        bnpg(folder, "sweep", "examples/edge-sweep.toml", "--out", "sweeps/edge", "--quiet", "--no-fsync")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
                args=["--no-sandbox", "--disable-gpu"],
            )
            for scheme in ("light", "dark"):
                page = browser.new_page(viewport={"width": 1100, "height": 1000}, color_scheme=scheme)
                page.goto((folder / "report.html").as_uri())
                take(page, f"report-{scheme}.png", "#curves")
            page = browser.new_page(viewport={"width": 1100, "height": 1000})
            page.goto((folder / "sweeps/edge/report.html").as_uri())
            take(page, "sweep-scores.png", "#scores")
            watch = [sys.executable, "-P", "-m", "bnpg", "watch", "sweeps/edge", "--listen", "127.0.0.1:0"]
            with subprocess.Popen(watch, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
                assert server.stdout is not None
                # Wide enough to show the gaps whole; the rest of the table is scrolled to.
                page = browser.new_page(viewport={"width": 1240, "height": 1000})
                page.goto(server.stdout.readline().strip())
                page.wait_for_selector("#runs-table tbody tr")
                page.get_by_label("Filter").fill("game=climbing seed<3")
                page.get_by_role("button", name="Select all shown").click()
                page.wait_for_selector("#overlay svg")
                take(page, "many-runs.png", "#runs", "#curves")
                server.terminate()
            browser.close()


if __name__ == "__main__":
    main()
