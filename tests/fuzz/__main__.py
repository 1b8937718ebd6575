"""`make fuzz-sync`: coverage-guided fuzzing of what comes from outside, for a given time.

One process a target, guided by atheris (libFuzzer), which watches the branches of `sync`, `contract` and the json module.
An input that breaks a promise is printed, written to .build/fuzz/, and ends the run with code 1.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FINDINGS = ROOT / ".build" / "fuzz"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=600, help="for all targets together")
    parser.add_argument(
        "--target", choices=("pages", "answers", "specs"), help="this one alone, in this process"
    )
    arguments = parser.parse_args()
    if arguments.target:
        fuzz(arguments.target, arguments.seconds)
    names = ("pages", "answers", "specs")
    share = str(max(1, arguments.seconds // len(names)))
    codes = [
        subprocess.run(
            [sys.executable, "-m", "tests.fuzz", "--target", name, "--seconds", share], cwd=ROOT, check=False
        ).returncode
        for name in names
    ]
    for name, code in zip(names, codes, strict=True):
        sys.stdout.write(f"{name}: {'BROKEN, see .build/fuzz' if code else 'clean'}\n")
    return int(any(codes))


def fuzz(name: str, seconds: int) -> None:
    """Ends the process."""
    import atheris  # noqa: PLC0415 - only here: `make fuzz-sync` installs it

    with atheris.instrument_imports(include=["sync", "contract", "json", "tests.fuzz.targets"]):
        from tests.fuzz.seeds import SEEDS, WORDS  # noqa: PLC0415
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415

    FINDINGS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gsc-fuzz-") as folder:
        corpus, words = Path(folder) / "corpus", Path(folder) / "words"
        corpus.mkdir()
        for number, seed in enumerate(SEEDS[name]):
            (corpus / str(number)).write_bytes(seed)
        words.write_text("".join(f'"{quoted(word)}"\n' for word in WORDS))
        atheris.Setup(
            [
                "fuzz", str(corpus), f"-max_total_time={seconds}", f"-dict={words}", "-max_len=4096",
                "-print_final_stats=1", "-timeout=20", "-rss_limit_mb=1024", f"-artifact_prefix={FINDINGS}/{name}-",
            ],
            TARGETS[name],
        )  # fmt: skip
        atheris.Fuzz()


def quoted(word: bytes) -> str:
    """A word as libFuzzer's dictionaries spell it."""
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    sys.exit(main())
